// Requests and responses as handlers see them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rillgate::http {

/// An IP address; IPv4 in its IPv6-mapped form (RFC 4291, section 2.5.5.2).
struct PeerAddress {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const PeerAddress&) const = default;
  [[nodiscard]] std::string text() const;
  /// An address without brackets or port.
  [[nodiscard]] static std::optional<PeerAddress> parse(std::string_view text);
};

struct Field {
  std::string_view name;
  std::string_view value;  // without blanks at its ends
};

/// Views into the connection's memory, valid until the request is answered.
struct Request {
  std::string_view method;
  std::string path;        // decoded; begins with '/', or is "*"
  std::string_view query;  // as sent, without the question mark
  std::vector<Field> fields;
  std::string_view body;
  int minor_version = 1;  // of HTTP/1
  PeerAddress peer;
  std::string_view request_id;
  std::size_t route = 0;  // the handler's own note on what it took the request for

  /// The first field of that name, any case.
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string_view content_type = {};  // a constant; none for an empty body
  std::string body = {};
  std::string fields = {};  // further header lines, each ended by CRLF
  bool close = false;       // the connection ends after this answer

  Response& field(std::string_view name, std::string_view value);
};

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kProblemJson = "application/problem+json";

[[nodiscard]] std::string_view reason_phrase(int status);

/// An error as RFC 9457 writes it. `detail` tells the caller what to change; `members` are further members in JSON,
/// such as `"from":"pending"`.
[[nodiscard]] Response problem(int status, std::string_view detail, std::string_view members = {});

}  // namespace rillgate::http
