// The log: one line an event on a file descriptor, as text for people or JSON for programs. Whatever bytes a client
// sent, an event stays one line and a value stays inside its quotes. A line below the level costs one relaxed load.
// What must never be in it (tokens, message bodies) is the caller's duty; a request's id goes by the key `request_id`.
//
// There is no library below it: lines need an escape of our own, and the rest is one write() of one string.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string_view>
#include <variant>

namespace rillgate::ops {

enum class LogLevel : std::uint8_t { kTrace, kDebug, kInfo, kWarn, kError };
enum class LogFormat : std::uint8_t { kText, kJson };

/// `key=value`. Holds no copy of a text: made in the call that logs it. A text over 1 KiB is cut.
struct LogField {
  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
  LogField(std::string_view name, std::same_as<bool> auto flag) : key(name), value(flag) {}
  LogField(std::string_view name, std::signed_integral auto number) : key(name), value(std::int64_t{number}) {}
  LogField(std::string_view name, std::unsigned_integral auto number)
    requires(!std::same_as<decltype(number), bool>)
      : key(name), value(std::uint64_t{number}) {}
  LogField(std::string_view name, double number) : key(name), value(number) {}

  std::string_view key;
  std::variant<std::string_view, bool, std::int64_t, std::uint64_t, double> value;
};
using LogFields = std::initializer_list<LogField>;

/// Holds back the lines of an event that a client or a broker can cause without end. Any thread.
class RateLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Rate {
    std::uint64_t lines;  // at most so many in each interval
    std::chrono::steady_clock::duration interval;
  };
  explicit RateLimit(Rate rate) : rate_(rate) {}

  /// Nothing: hold this line back. Else how many were held back since the last one that passed.
  [[nodiscard]] std::optional<std::uint64_t> admit(Time now);

 private:
  const Rate rate_;
  std::mutex mutex_;
  std::optional<Time> interval_begin_;
  std::uint64_t passed_ = 0;
  std::uint64_t suppressed_ = 0;
};

/// Any thread. A write blocks as the descriptor does; one that fails is lost, for there is nowhere to tell it.
class Logger {
 public:
  explicit Logger(LogLevel level, LogFormat format = LogFormat::kText, int descriptor = STDERR_FILENO)
      : level_(level), format_(format), descriptor_(descriptor) {}

  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  [[nodiscard]] bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }

  void log(LogLevel level, std::string_view message, LogFields fields = {}) {
    if (enabled(level)) write({level, message, fields});
  }
  void trace(std::string_view message, LogFields fields = {}) { log(LogLevel::kTrace, message, fields); }
  void debug(std::string_view message, LogFields fields = {}) { log(LogLevel::kDebug, message, fields); }
  void info(std::string_view message, LogFields fields = {}) { log(LogLevel::kInfo, message, fields); }
  void warn(std::string_view message, LogFields fields = {}) { log(LogLevel::kWarn, message, fields); }
  void error(std::string_view message, LogFields fields = {}) { log(LogLevel::kError, message, fields); }

  /// As log(), within `limit`; the first line after some were held back ends with `suppressed=K`.
  void log(RateLimit& limit, LogLevel level, std::string_view message, LogFields fields = {});

 private:
  struct Line {
    LogLevel level;
    std::string_view message;
    LogFields fields;
    std::uint64_t suppressed = 0;
  };
  void write(const Line& line);

  std::atomic<LogLevel> level_;
  const LogFormat format_;
  const int descriptor_;
  std::mutex mutex_;  // a write may take several calls; no line in the middle of another
};

}  // namespace rillgate::ops
