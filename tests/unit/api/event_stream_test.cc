#include "api/event_stream.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

namespace rillgate::api {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

/// Takes everything and keeps it.
class FakeSink final : public http::Sink {
 public:
  explicit FakeSink(std::string& taken) : taken_(taken) {}
  void start(Owner&) override {}
  Written write(std::span<const Frame> frames) override {
    for (const Frame& frame : frames) taken_ += frame.payload();
    return {.frames = frames.size(), .state = Written::State::kAll};
  }
  void finish() override {}

 private:
  std::string& taken_;
};

/// Does what the test wants at its ticks.
class FakeStream final : public EventStream {
 public:
  using EventStream::EventStream;
  using EventStream::tick_at;
  std::function<void(FakeStream&, io::Time)> deed = [](auto&, auto) {};

 private:
  void on_start() override { tick_at(owner().reactor.now()); }
  void on_tick(io::Time now) override { deed(*this, now); }
};

class EventStreamTest : public ::testing::Test {
 protected:
  /// A stream that lives until run() has returned.
  FakeStream& open() {
    auto* const stream = new FakeStream(hub_, owner_);
    EXPECT_TRUE(hub_.attach_bare(*stream, "a"));
    stream->start(std::make_unique<FakeSink>(sent_), [this] {
      has_ended_ = true;
      reactor_.stop();
    });
    return *stream;
  }
  void run() { reactor_.run(); }

  std::string sent_;
  bool has_ended_ = false;
  io::Reactor reactor_;
  StreamOwner owner_{reactor_, 0, 1'000};
  hub::Budget budget_{{.queued_bytes = 1'000'000, .history_bytes = 1'000'000, .streams = 10}};
  hub::Hub hub_{{.epoch = "e",
                 .history_size = 10,
                 .history_bytes = 1'000,
                 .history_ttl = milliseconds(1'000),
                 .stream_buffer = 1'000,
                 .streams_per_user = 10,
                 .clock = std::chrono::steady_clock::now},
                budget_};
};

TEST_F(EventStreamTest, ATickThatIsAskedForLaterPutsOffNoEnd) {
  FakeStream& stream = open();
  stream.deed = [](FakeStream& self, io::Time now) { self.tick_at(now + hours(1)); };
  stream.end_at(reactor_.now() + milliseconds(50), milliseconds(7));
  run();
  EXPECT_EQ(sent_, "event: stream-close\nretry: 7\ndata:\n\n");
}

TEST_F(EventStreamTest, AStreamThatIsToEndTicksUntilThen) {
  FakeStream& stream = open();
  int ticks = 0;
  stream.deed = [&](FakeStream& self, io::Time now) {
    self.tick_at(now + milliseconds(1));
    if (++ticks == 5) self.cut();
  };
  stream.end_at(reactor_.now() + hours(1), milliseconds(7));
  run();
  EXPECT_TRUE(has_ended_);
  EXPECT_EQ(ticks, 5);
  EXPECT_EQ(sent_, "");
}

}  // namespace
}  // namespace rillgate::api
