#include "http/message.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace rillgate::http {

namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::optional<PeerAddress> PeerAddress::parse(std::string_view text) {
  if (text.contains('\0')) return std::nullopt;  // where inet_pton would stop
  PeerAddress address;
  const std::string terminated(text);
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  std::copy(kMapped.begin(), kMapped.end(), address.bytes.begin());
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data() + kMapped.size()) == 1) return address;
  return std::nullopt;
}

std::string PeerAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  const bool is_v4 = std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
  inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes.data() + (is_v4 ? kMapped.size() : 0), out.data(), out.size());
  return out.data();
}

std::optional<std::string_view> Request::field(std::string_view name) const {
  for (const Field& field : fields) {
    if (equals_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

Response& Response::field(std::string_view name, std::string_view value) {
  fields.append(name).append(": ").append(value).append("\r\n");
  return *this;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

Response problem(int status, std::string_view detail, std::string_view members) {
  Response response{.status = status, .content_type = kProblemJson};
  response.body = fmt::format(R"({{"title":{},"status":{},"detail":{}{}{}}})", json_string(reason_phrase(status)),
                              status, json_string(detail), members.empty() ? "" : ",", members);
  response.body += '\n';
  return response;
}

}  // namespace rillgate::http
