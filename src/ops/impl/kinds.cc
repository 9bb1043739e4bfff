#include "ops/impl/kinds.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "base/names.h"
#include "base/text.h"

namespace rillgate::ops {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
// The largest unit last. A byte count may stand without a unit; a bare number of a duration would be a guess.
constexpr std::array<Unit, 6> kSizes{
    {{"", 1}, {"B", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40}}};
constexpr std::array<Unit, 5> kDurations{{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};

std::optional<std::uint64_t> read_with_unit(std::string_view text, std::span<const Unit> units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_decimal(text.substr(0, digits));
  const auto unit = std::ranges::find(units, text.substr(digits), &Unit::name);
  if (!number || unit == units.end()) return std::nullopt;
  if (*number > std::numeric_limits<std::uint64_t>::max() / unit->factor) return std::nullopt;
  return *number * unit->factor;
}

/// In the largest unit that leaves a whole number.
std::string show_with_unit(std::uint64_t value, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (value >= unit.factor && value % unit.factor == 0) best = &unit;
  }
  return fmt::format("{}{}", value / best->factor, best->name);
}

bool within(std::uint64_t value, Bounds bounds) {
  return value >= bounds.min && value <= bounds.max;
}

template <class T>
std::string show_list(const std::vector<T>& values, std::string (*show)(const T&)) {
  std::string text;
  for (const T& value : values) text += (text.empty() ? "" : ", ") + show(value);
  return text.empty() ? "none" : text;
}

/// The address in its shortest form (RFC 5952), so that equal addresses are equal texts.
std::optional<std::string> canonical_ip(int family, std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> shortest{};
  const std::string terminated(text);
  if (text.contains('\0') || inet_pton(family, terminated.c_str(), bytes.data()) != 1) return std::nullopt;
  return inet_ntop(family, bytes.data(), shortest.data(), shortest.size());
}

/// `localhost` stands for both loopback addresses.
std::vector<Address> read_addresses(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view host = text.substr(0, colon);
  const auto port = parse_decimal(text.substr(colon + 1));
  if (!port || *port > 65'535) return {};
  const auto port_number = static_cast<std::uint16_t>(*port);
  if (host == "localhost") return {{"127.0.0.1", port_number}, {"::1", port_number, true}};
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (in_brackets) host = host.substr(1, host.size() - 2);
  auto ip = canonical_ip(in_brackets ? AF_INET6 : AF_INET, host);
  if (!ip) return {};
  return {{std::move(*ip), port_number}};
}

std::optional<Network> read_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const unsigned bits = host.contains(':') ? 128 : 32;
  auto ip = canonical_ip(bits == 128 ? AF_INET6 : AF_INET, host);
  if (!ip) return std::nullopt;
  if (slash == std::string_view::npos) return Network{std::move(*ip), bits};
  const auto prefix = parse_decimal(text.substr(slash + 1));
  if (!prefix || *prefix > bits) return std::nullopt;
  return Network{std::move(*ip), static_cast<unsigned>(*prefix)};
}

bool is_lower_digit_or_hyphen(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool is_of_table_name(char c) {
  return is_lower_digit_or_hyphen(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
}

bool consists_of(std::string_view text, bool (*accepts)(char)) {
  return std::ranges::all_of(text, accepts);
}

/// As a browser writes it (RFC 6454, section 6.2): else the entry would never match.
bool is_origin(std::string_view text) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::size_t separator = text.find("://");
  if (separator == std::string_view::npos || separator == 0) return false;
  const std::string_view scheme = text.substr(0, separator);
  std::string_view host = text.substr(separator + 3);
  if (!is_lower(scheme.front())) return false;
  if (!std::ranges::all_of(scheme,
                           [&](char c) { return is_lower(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; }))
    return false;
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) {
    const std::string_view port = host.substr(colon + 1);
    const auto number = parse_decimal(port);
    if (!number || *number > 65'535 || port.starts_with('0')) return false;
    if ((scheme == "http" && *number == 80) || (scheme == "https" && *number == 443)) return false;
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']'))
    return canonical_ip(AF_INET6, host.substr(1, host.size() - 2)).has_value();
  return !host.empty() && std::ranges::all_of(host, [&](char c) {
    return is_lower(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

/// Text that is kept as it stands. `none_shown` stands for the empty text in the documentation.
Kind<std::string> text_kind(std::string placeholder, std::string accepts, bool (*is_good)(std::string_view),
                            const std::string& none_shown = {}) {
  return {.placeholder = std::move(placeholder),
          .accepts = std::move(accepts),
          .read =
              [is_good](std::string_view text, std::string& target) {
                if (!is_good(text)) return false;
                target = text;
                return true;
              },
          .show = [none_shown](const std::string& value) { return value.empty() ? none_shown : value; }};
}

}  // namespace

Kind<std::uint64_t> count(Bounds bounds) {
  return {.placeholder = "N",
          .accepts = fmt::format("a whole number from {} to {}", bounds.min, bounds.max),
          .read =
              [bounds](std::string_view text, std::uint64_t& target) {
                const auto value = parse_decimal(text);
                if (!value || !within(*value, bounds)) return false;
                target = *value;
                return true;
              },
          .show = [](const std::uint64_t& value) { return std::to_string(value); }};
}

Kind<std::uint64_t> size(Bounds bounds_bytes) {
  const auto show = [](const std::uint64_t& value) { return show_with_unit(value, kSizes); };
  return {.placeholder = "SIZE",
          .accepts = fmt::format("a size from {} to {}, in B, KiB, MiB, GiB or TiB, such as 64KiB",
                                 show(bounds_bytes.min), show(bounds_bytes.max)),
          .read =
              [bounds_bytes](std::string_view text, std::uint64_t& target) {
                const auto value = read_with_unit(text, kSizes);
                if (!value || !within(*value, bounds_bytes)) return false;
                target = *value;
                return true;
              },
          .show = show};
}

Kind<std::chrono::milliseconds> duration(DurationBounds bounds) {
  const auto show = [](const std::chrono::milliseconds& value) {
    return value.count() == 0 ? "0s" : show_with_unit(static_cast<std::uint64_t>(value.count()), kDurations);
  };
  const Bounds bounds_ms{static_cast<std::uint64_t>(bounds.min.count()),
                         static_cast<std::uint64_t>(bounds.max.count())};
  return {.placeholder = "DURATION",
          .accepts = fmt::format("a duration from {} to {}, in ms, s, m, h or d, such as 500ms or 15s",
                                 show(bounds.min), show(bounds.max)),
          .read =
              [bounds_ms](std::string_view text, std::chrono::milliseconds& target) {
                const auto value = text == "0" ? std::optional<std::uint64_t>(0) : read_with_unit(text, kDurations);
                if (!value || !within(*value, bounds_ms)) return false;
                target = std::chrono::milliseconds(*value);
                return true;
              },
          .show = show};
}

Kind<bool> on_off() {
  return {.placeholder = "on|off",
          .accepts = "on or off",
          .read =
              [](std::string_view text, bool& target) {
                const bool is_on = text == "on" || text == "true";
                if (!is_on && text != "off" && text != "false") return false;
                target = is_on;
                return true;
              },
          .show = [](const bool& value) { return std::string(value ? "on" : "off"); },
          .is_switch = true};
}

Kind<std::vector<Address>> addresses() {
  return {.placeholder = "ADDRESS",
          .accepts =
              "IP:PORT, such as 127.0.0.1:3000, [::1]:3000 or 0.0.0.0:3000; localhost:PORT is both loopback addresses",
          .read =
              [](std::string_view text, std::vector<Address>& target) {
                const auto found = read_addresses(text);
                target.insert(target.end(), found.begin(), found.end());
                return !found.empty();
              },
          .show =
              [](const std::vector<Address>& values) {
                return show_list<Address>(values, [](const Address& value) { return value.text(); });
              },
          .is_list = true};
}

Kind<std::optional<Address>> address() {
  return {.placeholder = "ADDRESS",
          .accepts = "one IP:PORT, such as 127.0.0.1:3001 or [::1]:3001; localhost:PORT is 127.0.0.1:PORT",
          .read =
              [](std::string_view text, std::optional<Address>& target) {
                const auto found = read_addresses(text);
                if (found.empty()) return false;
                target = found.front();
                return true;
              },
          .show = [](const std::optional<Address>& value) { return value ? value->text() : "none"; }};
}

Kind<std::vector<Network>> networks() {
  return {.placeholder = "NETWORK",
          .accepts = "IP addresses and networks, such as 10.0.0.0/8 or fd00::/8",
          .read =
              [](std::string_view text, std::vector<Network>& target) {
                auto network = read_network(text);
                if (!network) return false;
                target.push_back(std::move(*network));
                return true;
              },
          .show =
              [](const std::vector<Network>& values) {
                return show_list<Network>(values, [](const Network& network) {
                  return fmt::format("{}/{}", network.address, network.prefix);
                });
              },
          .is_list = true};
}

Kind<std::vector<std::string>> origins() {
  return {.placeholder = "ORIGIN",
          .accepts =
              "origins as browsers send them (https://example.org, http://localhost:5173: lower case, no path, no "
              "default port), or * for all",
          .read =
              [](std::string_view text, std::vector<std::string>& target) {
                if (text != "*" && !is_origin(text)) return false;
                target.emplace_back(text);
                return true;
              },
          .show =
              [](const std::vector<std::string>& values) {
                return show_list<std::string>(values, [](const std::string& value) { return value; });
              },
          .is_list = true};
}

Kind<std::string> comment_text() {
  static constexpr std::size_t kBytesMax = 200;
  return text_kind("TEXT", fmt::format("1 to {} bytes of UTF-8 without control characters", kBytesMax),
                   [](std::string_view text) {
                     return !text.empty() && text.size() <= kBytesMax && is_utf8(text) && !has_control_characters(text);
                   });
}

Kind<std::string> store_location() {
  return text_kind("STORE", "memory, sqlite:PATH, or dynamodb", [](std::string_view text) {
    constexpr std::string_view kSqlite = "sqlite:";
    const bool has_path = text.starts_with(kSqlite) && text.size() > kSqlite.size();
    return (text == "memory" || text == "dynamodb" || has_path) && !has_control_characters(text);
  });
}

Kind<std::string> brokers() {
  return text_kind(
      "BROKERS", "HOST:PORT, several parted by commas; or nothing, for no Kafka",
      [](std::string_view text) {
        const bool has_gap = text.starts_with(',') || text.ends_with(',') || text.contains(",,");
        return !has_gap && !has_control_characters(text) && !text.contains(' ');
      },
      "none");
}

Kind<std::string> topic() {
  return text_kind("TOPIC", "1 to 249 letters, digits, dots, underscores and hyphens", is_topic_name);
}

Kind<std::string> topic_suffix() {
  static constexpr std::size_t kBytesMax = 30;
  return text_kind("SUFFIX", fmt::format("1 to {} letters, digits, dots, underscores and hyphens", kBytesMax),
                   [](std::string_view text) {
                     return !text.empty() && text.size() <= kBytesMax && is_topic_name("x" + std::string(text));
                   });
}

Kind<std::string> group_name() {
  static constexpr std::size_t kBytesMax = 249;
  return text_kind(
      "NAME", fmt::format("1 to {} bytes without control characters", kBytesMax),
      [](std::string_view text) { return !text.empty() && text.size() <= kBytesMax && !has_control_characters(text); });
}

Kind<std::string> endpoint() {
  return {.placeholder = "URL",
          .accepts = "http://HOST:PORT or https://HOST, without a path",
          .read =
              [](std::string_view text, std::string& target) {
                if (text.ends_with('/')) text.remove_suffix(1);
                if (!text.starts_with("http://") && !text.starts_with("https://")) return false;
                if (!is_origin(text)) return false;
                target = text;
                return true;
              },
          .show = [](const std::string& value) { return value.empty() ? "none" : value; }};
}

Kind<std::string> region() {
  static constexpr std::size_t kBytesMax = 32;
  return text_kind("REGION", "a region's name such as eu-central-1: lower-case letters, digits and hyphens",
                   [](std::string_view text) {
                     return !text.empty() && text.size() <= kBytesMax && consists_of(text, is_lower_digit_or_hyphen);
                   });
}

Kind<std::string> table_prefix() {
  static constexpr std::size_t kBytesMax = 200;  // of the 255 that a table's name may have
  return text_kind(
      "PREFIX", fmt::format("up to {} letters, digits, underscores, hyphens and dots", kBytesMax),
      [](std::string_view text) { return text.size() <= kBytesMax && consists_of(text, is_of_table_name); }, "none");
}

Kind<std::string> folder(const std::string& empty_shown) {
  return text_kind(
      "FOLDER", "the path of a folder",
      [](std::string_view text) { return !text.empty() && !has_control_characters(text); }, empty_shown);
}

}  // namespace rillgate::ops
