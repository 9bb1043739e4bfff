// Ids that a client sends back against arbitrary bytes, for streams of the hub and of the report store: one that this
// node gave out goes on behind it, any other is told of a gap, and in no case is anything sent twice or out of order.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "api/parameters.h"
#include "api/report_stream.h"
#include "base/text.h"
#include "hub/hub.h"
#include "property/sse/event_stream_reader.h"
#include "reports/report.h"

namespace {

using namespace rillgate;
using std::chrono::milliseconds;

constexpr std::uint64_t kEvents = 6;
constexpr std::uint64_t kKept = 4;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Takes everything.
class Listener final : public hub::Stream {
 public:
  std::string heard;

 private:
  Written write(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) heard += frame.payload();
    return {.frames = frames.size(), .state = Written::State::kAll};
  }
};

/// What a stream's bytes must be, when the events are the numbers 1 to `kEvents`, the last ones without a hole.
void check(std::string_view bytes) {
  const sse::test::EventStreamReader reader(bytes);
  require(!reader.events.empty() && reader.unread.empty() && is_utf8(bytes) && !bytes.contains('\r'));
  const auto& first = reader.events.front();
  require(first.type == "stream-open" || first.type == "stream-gap");
  require(!first.last_event_id.empty() && reader.reconnection_time == "5");
  for (std::size_t i = 1; i < reader.events.size(); ++i) {
    require(reader.events[i].data.contains(std::to_string(kEvents - (reader.events.size() - 1 - i))));
  }
}

void check_hub(const std::optional<std::string>& id) {
  hub::Budget budget({.queued_bytes = 10'000, .history_bytes = 100'000, .streams = 2});
  hub::Hub hub({.epoch = "e",
                .history_size = kKept,
                .history_bytes = 100'000,
                .history_ttl = std::chrono::hours(1),
                .stream_buffer = 10'000,
                .streams_per_user = 2,
                .clock = [] { return hub::Time{std::chrono::hours(1)}; }},
               budget);
  for (std::uint64_t i = 1; i <= kEvents; ++i) {
    static_cast<void>(hub.publish("a", hub::Event::draft({.type = "", .data = std::to_string(i)})));
  }
  Listener listener;
  hub::FlushList others;
  require(hub.attach(listener, "a", api::resume_from(id), milliseconds(5)).has_value());
  require(hub.flush(listener, others) == hub::Flushed::kIdle);
  check(listener.heard);
  require(hub.detach(listener, hub::End::kClient));
}

void check_reports(const std::optional<std::string>& id) {
  const auto user = reports::UserId::parse("0190a6b2-7e1c-7c3a-9d2b-5f8e4a1c6d70").value();
  const auto store = reports::StoreId::parse("store").value();
  const api::ReportStart start =
      api::report_start(user, store, id, {.events = {}, .newest = reports::EventSeq{kEvents}}, milliseconds(5));
  check(start.blocks);
  require(start.events == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  http::Request request;
  const auto run = [&] {
    if (const auto id = api::last_event_id(request)) {
      check_hub(*id);
      check_reports(*id);
    }
  };
  request.query = text;
  run();
  request.fields.push_back({"Last-Event-ID", text});
  run();
  return 0;
}
