// The whole way of a request, from bytes to bytes: connection, parser, routes, hub and report store, with a bystander
// whose stream is open meanwhile. Whatever the bytes are and however they are cut, every answer is whole and
// well-formed, none is a 5xx, nothing follows the last one, and the bystander's stream stays a stream.
#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "http/request_parser.h"
#include "property/sse/event_stream_reader.h"
#include "support/conversation.h"

namespace {

using namespace rillgate;

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kBystander = "GET /v2/sse?username=a HTTP/1.1\r\nHost: a\r\n\r\n";

void require(bool holds) {
  if (!holds) std::abort();
}

/// Takes `count` bytes off the front.
std::string_view take(std::string_view& text, std::size_t count) {
  require(count <= text.size());
  const std::string_view taken = text.substr(0, count);
  text.remove_prefix(count);
  return taken;
}
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find(kLineEnd);
  require(end != std::string_view::npos);
  const std::string_view line = take(text, end);
  take(text, kLineEnd.size());
  return line;
}

struct Answer {
  int status = 0;
  std::string_view content_type = {};
  std::string body = {};
  bool chunked = false;
  bool closes = false;
};

std::string take_chunks(std::string_view& output) {
  std::string body;
  while (!output.empty()) {  // a stream's client has gone, so its end may be missing
    const std::string_view size = take_line(output);
    std::size_t bytes = 0;
    const auto [stop, error] = std::from_chars(size.data(), size.data() + size.size(), bytes, 16);
    require(error == std::errc{} && stop == size.data() + size.size());
    body += take(output, bytes);
    require(take(output, kLineEnd.size()) == kLineEnd);
    if (bytes == 0) break;
  }
  return body;
}

/// The next answer; `method` is that of its request.
Answer take_answer(std::string_view& output, std::string_view method) {
  Answer answer;
  std::string_view line = take_line(output);
  require(line.starts_with("HTTP/1.1 ") && line.size() > 13 && line[12] == ' ');
  std::from_chars(line.data() + 9, line.data() + 12, answer.status);
  std::optional<std::size_t> length;
  while (!(line = take_line(output)).empty()) {
    const std::size_t colon = line.find(": ");
    require(colon != std::string_view::npos && colon > 0 && !has_control_characters(line));
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 2);
    if (name == "Content-Type") answer.content_type = value;
    if (name == "Content-Length") length = parse_decimal(value).value();
    if (name == "Transfer-Encoding") answer.chunked = value == "chunked";
    if (name == "Connection") answer.closes = value == "close";
  }
  if (method == "HEAD") return answer;
  if (answer.status == 100 || answer.status == 204 || answer.status == 304) return answer;
  require(answer.chunked || length || answer.closes);
  answer.body = answer.chunked ? take_chunks(output) : std::string(take(output, length.value_or(output.size())));
  return answer;
}

void check_stream(std::string_view body) {
  const sse::test::EventStreamReader reader(body);
  require(is_utf8(body) && !body.contains('\r'));
  for (const auto& event : reader.events) require(!event.type.empty());
}

void check(const Answer& answer, std::string_view method) {
  constexpr std::array kKnown{100, 200, 201, 202, 204, 304, 400, 403, 404, 405,
                              406, 408, 409, 412, 413, 415, 417, 422, 429, 431};
  require(std::ranges::find(kKnown, answer.status) != kKnown.end());
  if (method == "HEAD" || answer.body.empty()) return;
  if (answer.content_type.starts_with("text/event-stream")) {
    check_stream(answer.body);
  } else if (answer.content_type.contains("json")) {
    const boost::json::value value = boost::json::parse(answer.body);
    if (answer.status >= 400) {
      require(answer.content_type == "application/problem+json" &&
              value.at("status").to_number<int>() == answer.status);
      require(!value.at("detail").as_string().empty());
    }
  }
}

/// The methods of the requests that the server will see.
std::vector<std::string> methods_of(std::string_view input, std::uint64_t body_bytes_max) {
  std::vector<std::string> methods;
  http::RequestParser parser(body_bytes_max);
  while (!input.empty() && parser.state() != http::RequestParser::State::kFailed) {
    input.remove_prefix(parser.consume(input));
    if (parser.state() == http::RequestParser::State::kComplete) {
      methods.emplace_back(parser.request().method);
      parser.next();
    }
  }
  return methods;
}

}  // namespace

/// The first byte says how the rest is cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t step = data[0] == 0 ? std::max<std::size_t>(input.size(), 1) : data[0];
  ops::Settings settings;
  settings.limits.body = 4096;
  settings.cors.origins = {"http://listed"};
  test::ApiWorld world(settings);
  const http::ServerOptions options{.body_bytes_max = settings.limits.body};
  const std::atomic<bool> closing{false};
  std::atomic<std::uint64_t> open{0};
  http::ConnectionContext context(world.reactor, *world.api, options, closing, open);

  test::Conversation bystander(world, context, [&] { world.reactor.stop(); });
  test::Conversation client(world, context, [&] { bystander.finish(); });
  bystander.send(std::string(kBystander));
  for (std::size_t at = 0; at < input.size(); at += step) client.send(std::string(input.substr(at, step)));
  client.finish();
  world.reactor.run();
  require(open == 0);

  std::string_view heard = bystander.received();
  const Answer stream = take_answer(heard, "GET");
  require(stream.status == 200 && stream.body.starts_with("event: stream-open\n") && heard.empty());
  check(stream, "GET");

  const std::vector<std::string> methods = methods_of(input, settings.limits.body);
  std::string_view output = client.received();
  std::size_t answered = 0;
  while (!output.empty()) {
    const std::string method = answered < methods.size() ? methods[answered] : "";
    const Answer answer = take_answer(output, method);
    check(answer, method);
    if (answer.status == 100) continue;
    ++answered;
    if (answer.closes || answer.chunked) require(output.empty());
  }
  require(answered <= methods.size() + 1);
  return 0;
}
