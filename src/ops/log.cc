#include "ops/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <iterator>
#include <string>
#include <type_traits>
#include <utility>

#include "base/text.h"

namespace rillgate::ops {
namespace {

// A client's header may have 16 KiB; a log that repeats it whole could be filled on purpose.
constexpr std::size_t kTextBytesMax = 1024;

constexpr std::array<std::string_view, 5> kTextLevels{"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
constexpr std::array<std::string_view, 5> kJsonLevels{"trace", "debug", "info", "warn", "error"};

/// Line and paragraph separators, C1 controls (U+0085 is a line end to some readers) and the marks that turn the
/// direction of what follows: well-formed in JSON, but a log's reader would see other lines than were written.
bool is_deceptive(char32_t c) {
  return (c >= 0x80 && c <= 0x9f) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

/// The code point of the two or three bytes at `at`, else 0; `text` is UTF-8.
char32_t code_point(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  if ((byte(0) & 0xe0) == 0xc0) return static_cast<char32_t>((byte(0) & 0x1f) << 6 | (byte(1) & 0x3f));
  if ((byte(0) & 0xf0) == 0xe0) {
    return static_cast<char32_t>((byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f));
  }
  return 0;
}

void append_quoted(std::string& out, std::string_view text) {
  const bool is_cut = text.size() > kTextBytesMax;
  const std::string json = json_string(text.substr(0, kTextBytesMax));
  for (std::size_t i = 0; i + 1 < json.size(); ++i) {
    const char32_t c = code_point(json, i);
    if (is_deceptive(c)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint32_t>(c));
      i += c < 0x800 ? 1 : 2;
    } else {
      out += json[i];
    }
  }
  out += is_cut ? "…\"" : "\"";
}

bool is_printable_ascii(char c) {
  return c > 0x20 && c < 0x7f;
}

/// As it is when that cannot be misread, else in quotes.
void append_value_text(std::string& out, std::string_view text) {
  const bool is_plain = !text.empty() && text.size() <= kTextBytesMax && std::ranges::all_of(text, [](char c) {
    return is_printable_ascii(c) && c != '"' && c != '=' && c != '\\';
  });
  if (is_plain) {
    out += text;
  } else {
    append_quoted(out, text);
  }
}

void append_message_text(std::string& out, std::string_view text) {
  if (std::ranges::all_of(text, [](char c) { return is_printable_ascii(c) || c == ' '; })) {
    out += text;
  } else {
    append_quoted(out, text);
  }
}

void append_value(std::string& out, const LogField& field, LogFormat format) {
  const auto append = [&](const auto& value) {
    using Value = std::decay_t<decltype(value)>;
    if constexpr (std::same_as<Value, std::string_view>) {
      format == LogFormat::kJson ? append_quoted(out, value) : append_value_text(out, value);
    } else if constexpr (std::same_as<Value, double>) {
      // JSON has no infinity and no NaN.
      if (format == LogFormat::kJson && !std::isfinite(value)) {
        out += "null";
      } else {
        fmt::format_to(std::back_inserter(out), "{}", value);
      }
    } else {
      fmt::format_to(std::back_inserter(out), "{}", value);
    }
  };
  std::visit(append, field.value);
}

void append_field(std::string& out, const LogField& field, LogFormat format) {
  if (format == LogFormat::kJson) {
    out += ',';
    append_quoted(out, field.key);
    out += ':';
  } else {
    out += ' ';
    out += field.key;
    out += '=';
  }
  append_value(out, field, format);
}

std::string timestamp() {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (now - seconds).count());
}

/// Some terminals and supervisors hand over a non-blocking descriptor; waiting for it is what a blocking one does.
bool wait_until_writable(int descriptor) {
  pollfd waited{.fd = descriptor, .events = POLLOUT, .revents = 0};
  return poll(&waited, 1, -1) > 0 || errno == EINTR;
}

void write_whole(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      if (!wait_until_writable(descriptor)) return;
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

std::optional<std::uint64_t> RateLimit::admit(Time now) {
  const std::scoped_lock lock(mutex_);
  if (!interval_begin_ || now - *interval_begin_ >= rate_.interval) {
    interval_begin_ = now;
    passed_ = 0;
  }
  if (passed_ == rate_.lines) {
    ++suppressed_;
    return std::nullopt;
  }
  ++passed_;
  return std::exchange(suppressed_, 0);
}

void Logger::log(RateLimit& limit, LogLevel level, std::string_view message, LogFields fields) {
  if (!enabled(level)) return;
  const auto suppressed = limit.admit(std::chrono::steady_clock::now());
  if (suppressed) write({level, message, fields, *suppressed});
}

void Logger::write(const Line& line) {
  std::string out;
  const auto level = static_cast<std::size_t>(line.level);
  if (format_ == LogFormat::kJson) {
    fmt::format_to(std::back_inserter(out), R"({{"time":"{}","level":"{}","message":)", timestamp(),
                   kJsonLevels[level]);
    append_quoted(out, line.message);
  } else {
    fmt::format_to(std::back_inserter(out), "{} {} ", timestamp(), kTextLevels[level]);
    append_message_text(out, line.message);
  }
  for (const LogField& field : line.fields) append_field(out, field, format_);
  if (line.suppressed > 0) append_field(out, {"suppressed", line.suppressed}, format_);
  out += format_ == LogFormat::kJson ? "}\n" : "\n";
  const std::scoped_lock lock(mutex_);
  write_whole(descriptor_, out);
}

}  // namespace rillgate::ops
