// Bodies of /v2/messages against arbitrary bytes: every line is accepted or named with a reason, in order; the answer
// is JSON; and what was accepted is published, as text that is safe in a stream.
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/v2.h"
#include "base/text.h"
#include "property/sse/event_stream_reader.h"
#include "support/api_world.h"

namespace {

using namespace rillgate;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Keeps the answer.
class FakeExchange final : public http::Exchange {
 public:
  FakeExchange(io::Reactor& reactor, std::string_view body) : reactor_(reactor) {
    request_.method = "POST";
    request_.fields.push_back({"Content-Type", "application/x-ndjson"});
    request_.body = body;
  }
  http::Request& request() override { return request_; }
  io::Reactor& reactor() override { return reactor_; }
  void respond(http::Response response) override { answer = std::move(response); }
  http::Responder later() override { std::abort(); }
  std::unique_ptr<http::Sink> open_stream(const http::Response&) override { std::abort(); }

  http::Response answer{.status = 0};

 private:
  io::Reactor& reactor_;
  http::Request request_;
};

/// Takes and checks everything.
class Reader final : public hub::Stream {
 public:
  std::uint64_t events = 0;

 private:
  Written write(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) {
      const sse::test::EventStreamReader reader(frame.payload());
      require(reader.events.size() == 1 && reader.unread.empty() && is_utf8(frame.payload()));
      events += reader.events[0].type == "stream-open" ? 0 : 1;
      require(!reader.events[0].type.starts_with("stream-") || reader.events[0].type == "stream-open");
    }
    return {.frames = frames.size(), .state = Written::State::kAll};
  }
};

/// Lines that say something.
std::uint64_t lines_of(std::string_view body) {
  std::uint64_t lines = 0;
  bool says_something = false;
  for (const char c : body) {
    if (c == '\n') {
      lines += says_something ? 1 : 0;
      says_something = false;
    } else if (c != ' ' && c != '\t' && c != '\r') {
      says_something = true;
    }
  }
  return lines + (says_something ? 1 : 0);
}

void check_answer(const http::Response& answer, std::string_view body, std::uint64_t published) {
  require(answer.status == 202);
  const boost::json::value said = boost::json::parse(answer.body);
  const boost::json::array& rejected = said.at("rejected").as_array();
  require(said.at("accepted").to_number<std::uint64_t>() == published);
  require(published + rejected.size() == lines_of(body));
  std::uint64_t last = 0;
  for (const boost::json::value& each : rejected) {
    const auto line = each.at("line").to_number<std::uint64_t>();
    require(line > last && !each.at("detail").as_string().empty());
    last = line;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static test::ApiWorld world;
  static hub::Hub::Options options{.epoch = "e",
                                   .history_size = 10'000,
                                   .history_bytes = 1 << 24,
                                   .history_ttl = std::chrono::hours(1),
                                   .stream_buffer = 1 << 20,
                                   .streams_per_user = 1,
                                   .clock = std::chrono::steady_clock::now};
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  hub::Budget budget({.queued_bytes = 1 << 20, .history_bytes = 1 << 24, .streams = 10});
  api::Namespace space("v2", options, budget);
  FakeExchange exchange(world.reactor, body);
  api::post_messages(world.services, space, exchange);
  check_answer(exchange.answer, body, space.hub.counters().events_in.value());

  // One who was spoken to reads all of it.
  Reader reader;
  hub::FlushList others;
  require(
      space.hub.attach(reader, "a", {.from = hub::Resume::From::kEarliest}, std::chrono::milliseconds(1)).has_value());
  while (space.hub.flush(reader, others) == hub::Flushed::kMore) {
  }
  require(reader.events <= space.hub.counters().events_in.value());
  require(space.hub.detach(reader, hub::End::kClient));
  return 0;
}
