#include "api/open_stream.h"

#include <charconv>
#include <random>

#include "base/text.h"
#include "sse/encode.h"

namespace rillgate::api {
namespace {

constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";

http::Response stream_head() {
  http::Response head{.content_type = kEventStream};
  head.field("Cache-Control", "no-store").field("X-Accel-Buffering", "no");
  return head;
}

/// Whether the weight of a media range is 0, which means "not acceptable".
bool is_excluded(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = trimmed(parameters.substr(0, end));
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
    if (parameter.size() > 2 && equals_ignoring_case(parameter.substr(0, 2), "q=")) {
      return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
    }
  }
  return false;
}

}  // namespace

Acceptance accepts_event_stream(const http::Request& request) {
  // The most specific range that matches decides.
  int specificity = -1;
  bool allowed = true;
  bool by_name = false;
  for (const http::Field& field : request.fields) {
    if (!equals_ignoring_case(field.name, "Accept")) continue;
    if (specificity < 0) allowed = trimmed(field.value).empty() && allowed;
    std::string_view list = field.value;
    while (!list.empty()) {
      const std::size_t comma = std::min(list.find(','), list.size());
      const std::string_view range = list.substr(0, comma);
      list.remove_prefix(std::min(comma + 1, list.size()));
      const std::size_t semicolon = std::min(range.find(';'), range.size());
      const std::string_view type = trimmed(range.substr(0, semicolon));
      const int matches = equals_ignoring_case(type, "text/event-stream") ? 2
                          : equals_ignoring_case(type, "text/*")          ? 1
                          : type == "*/*"                                 ? 0
                                                                          : -1;
      if (matches <= specificity) continue;
      specificity = matches;
      allowed = !is_excluded(range.substr(std::min(semicolon + 1, range.size())));
      by_name = matches == 2 && allowed;
    }
  }
  return {.allowed = allowed, .by_name = by_name};
}

std::chrono::milliseconds jittered(std::chrono::milliseconds period) {
  thread_local std::minstd_rand random(std::random_device{}());
  return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(
      period.count() - period.count() / 2, period.count() + period.count() / 2)(random));
}

bool answered_without_stream(Services& services, http::Exchange& exchange) {
  if (!accepts_event_stream(exchange.request()).allowed) {
    exchange.respond(http::problem(406, "this route answers text/event-stream; add it to Accept, or leave Accept out"));
    return true;
  }
  if (services.refuses_streams) {
    refuse_stream(services, exchange,
                  "the node is draining; another one, or this one after its restart, will serve you");
    return true;
  }
  if (services.crowded()) {
    refuse_stream(services, exchange, "the node has no descriptors left for another stream; come back later");
    return true;
  }
  if (exchange.request().method == "HEAD") {
    exchange.respond(stream_head());
    return true;
  }
  return false;
}

void refuse_stream(const Services& services, http::Exchange& exchange, std::string_view detail, int status) {
  const std::chrono::milliseconds retry = jittered(services.settings.stream.retry);
  http::Response response;
  if (accepts_event_stream(exchange.request()).by_name) {
    response = stream_head();
    response.body = sse::control_block({.type = "stream-close", .retry = retry});
  } else {
    response = http::problem(status, detail);
    response.field("Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(retry).count()));
  }
  response.close = true;
  exchange.respond(std::move(response));
}

namespace detail {

void start_stream(Services& services, http::Exchange& exchange, std::unique_ptr<EventStream> stream,
                  const http::PeerAddress& client) {
  auto sink = exchange.open_stream(stream_head());
  stream.release()->start(std::move(sink),
                          [&addresses = services.addresses, client] { addresses.close_stream(client); });
}

std::string_view sentence(hub::Refusal refusal) {
  switch (refusal) {
    case hub::Refusal::kTooManyStreams:
      return "the node has as many streams as limits.streams allows; come back later";
    case hub::Refusal::kTooManyStreamsOfUser:
      return "this user has as many streams as limits.streams-per-user allows; close some";
  }
  return {};
}

}  // namespace detail
}  // namespace rillgate::api
