#include "api/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/names.h"
#include "base/text.h"
#include "http/query.h"

namespace rillgate::api {
namespace {

std::optional<Error> check(const Message& message) {
  if (auto error = check_user(message.user)) return error;
  if (!message.text.type.empty()) {
    if (auto error = check_event_type(message.text.type)) return error;
  }
  if (!is_utf8(message.text.data)) return Error{"the message is not UTF-8; encode it as UTF-8"};
  return std::nullopt;
}

/// One line of NDJSON. The views in the result belong to `parsed`.
std::expected<Message, Error> read_line(std::string_view line, boost::json::value& parsed) {
  boost::json::error_code error;
  parsed = boost::json::parse({line.data(), line.size()}, error);
  if (error) return std::unexpected(Error{fmt::format("the line is not JSON ({})", error.message())});
  const boost::json::object* const object = parsed.if_object();
  if (object == nullptr)
    return std::unexpected(Error{"the line is not a JSON object; write {\"username\":…,\"data\":…}"});
  const auto text = [&](std::string_view name) -> std::optional<std::string_view> {
    const boost::json::value* const member = object->if_contains({name.data(), name.size()});
    if (member == nullptr || !member->is_string()) return std::nullopt;
    return std::string_view(member->get_string().data(), member->get_string().size());
  };
  const auto user = text("username");
  const auto data = text("data");
  const auto type = text("event");
  if (!user) return std::unexpected(Error{"the member 'username' is missing or no string"});
  if (!data) return std::unexpected(Error{"the member 'data' is missing or no string"});
  if (!type && object->contains("event")) return std::unexpected(Error{"the member 'event' is no string"});
  Message message{.user = *user, .text = {.type = type.value_or(""), .data = *data}};
  if (auto mistake = check(message)) return std::unexpected(*std::move(mistake));
  if (type && type->empty()) return std::unexpected(*check_event_type(*type));
  return message;
}

}  // namespace

void take_message(http::Exchange& exchange, const std::function<void(const Message&)>& take) {
  const http::Request& request = exchange.request();
  const auto refuse = [&](const Error& error) { exchange.respond(http::problem(400, error.what)); };
  const auto query = http::Query::parse(request.query);
  if (!query) return refuse(query.error());
  const auto user = query->required("username", "NAME");
  if (!user) return refuse(user.error());
  const auto type = query->optional("event");
  if (!type) return refuse(type.error());
  if (*type) {
    if (const auto error = check_event_type(**type)) return refuse(*error);
  }
  const Message message{.user = *user, .text = {.type = type->value_or(""), .data = request.body}};
  if (const auto error = check(message)) return refuse(*error);
  take(message);
}

bool take_messages(http::Exchange& exchange,
                   const std::function<void(std::uint64_t line, const std::expected<Message, Error>&)>& take) {
  const http::Request& request = exchange.request();
  const std::string_view type = request.field("Content-Type").value_or("");
  if (!equals_ignoring_case(trimmed(type.substr(0, type.find(';'))), "application/x-ndjson")) {
    exchange.respond(
        http::problem(415, "this route takes one JSON object a line; send Content-Type: application/x-ndjson"));
    return false;
  }
  std::uint64_t number = 0;
  std::string_view rest = request.body;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    boost::json::value parsed;
    take(number, read_line(line, parsed));
  }
  return true;
}

http::Response BatchResult::response() {
  std::ranges::sort(rejected_);
  std::string rejected;
  for (const auto& [line, detail] : rejected_) {
    fmt::format_to(std::back_inserter(rejected), "{}{{\"line\":{},\"detail\":{}}}", rejected.empty() ? "" : ",", line,
                   json_string(detail));
  }
  return {.status = 202,
          .content_type = http::kJson,
          .body = fmt::format("{{\"accepted\":{},\"rejected\":[{}]}}\n", accepted_, rejected)};
}

bool answered_while_draining(const Services& services, http::Exchange& exchange) {
  if (!services.refuses_posts) return false;
  http::Response response = http::problem(503, "the node is draining; ask another one, or this one after its restart");
  response.field("Retry-After", "5");
  exchange.respond(std::move(response));
  return true;
}

}  // namespace rillgate::api
