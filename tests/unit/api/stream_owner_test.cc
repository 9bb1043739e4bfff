#include "api/stream_owner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/event_stream.h"
#include "support/steps.h"

namespace rillgate::api {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// What a transport was given: which stream's, and the payloads of each write.
struct Write {
  int stream;
  std::string bytes;
  bool operator==(const Write&) const = default;
};
using Writes = std::vector<Write>;

class RecordingSink final : public http::Sink {
 public:
  RecordingSink(int stream, Writes& writes) : stream_(stream), writes_(writes) {}
  void start(Owner&) override {}
  Written write(std::span<const Frame> frames) override {
    std::string bytes;
    for (const Frame& frame : frames) bytes += frame.payload();
    writes_.push_back({stream_, bytes});
    return {.frames = frames.size(), .state = Written::State::kAll};
  }
  void finish() override {}

 private:
  const int stream_;
  Writes& writes_;
};

/// Takes everything and keeps nothing.
class NullSink final : public http::Sink {
 public:
  void start(Owner&) override {}
  Written write(std::span<const Frame> frames) override {
    return {.frames = frames.size(), .state = Written::State::kAll};
  }
  void finish() override {}
};

class QuietStream final : public EventStream {
 public:
  using EventStream::EventStream;

 private:
  void on_start() override {}
  void on_tick(io::Time) override {}
};

constexpr std::size_t kRoundBytesMax = 1'000;

class StreamOwnerTest : public ::testing::Test {
 protected:
  static constexpr std::string_view kUser = "ann";

  void open(StreamOwner& owner, int number, Writes& writes, std::string_view user = kUser) {
    auto* const stream = new QuietStream(hub_, owner);
    ASSERT_TRUE(hub_.attach_bare(*stream, user));
    stream->start(std::make_unique<RecordingSink>(number, writes), [] {});
  }
  hub::FlushList published(std::string_view data, std::string_view user = kUser) {
    return hub_.publish(user, hub::Event::draft({.type = {}, .data = data})).to_flush;
  }
  /// At the end all streams are cut.
  static void run_steps(io::Reactor& reactor, StreamOwner& owner, std::vector<std::function<void()>> steps) {
    steps.emplace_back([&] {
      for (EventStream* const stream : owner.streams()) stream->cut();
    });
    test::run_steps(reactor, steps);
    EXPECT_EQ(owner.open(), 0U);
  }

  hub::Budget budget_{{.queued_bytes = 1'000'000, .history_bytes = 1'000'000, .streams = 20'000}};
  hub::Hub hub_{{.epoch = "e",
                 .history_size = 0,
                 .history_bytes = 0,
                 .history_ttl = milliseconds(1'000'000),
                 .stream_buffer = 100'000,
                 .streams_per_user = 20'000,
                 .clock = std::chrono::steady_clock::now},
                budget_};
  io::Reactor reactor_;
  StreamOwner owner_{reactor_, 0, kRoundBytesMax};
};

std::string block(int seq, std::string_view data) {
  return "id: e-" + std::to_string(seq) + "\ndata: " + std::string(data) + "\n\n";
}

TEST_F(StreamOwnerTest, WhatIsPublishedInARoundIsOneWriteAtItsEnd) {
  Writes writes;
  run_steps(reactor_, owner_,
            {[&] {
               open(owner_, 1, writes);
               owner_.flush_soon(published("a"), 10);
               owner_.flush_soon(published("b"), 10);
               EXPECT_THAT(writes, IsEmpty());
             },
             [] {}, [&] { EXPECT_THAT(writes, ElementsAre(Write{1, block(1, "a") + block(2, "b")})); }});
}

TEST_F(StreamOwnerTest, MuchIsNotLeftForTheEndOfTheRound) {
  Writes writes;
  run_steps(reactor_, owner_,
            {[&] {
               open(owner_, 1, writes);
               owner_.flush_soon(published("a"), kRoundBytesMax / 2);
               EXPECT_THAT(writes, IsEmpty());
               owner_.flush_soon(published("b"), kRoundBytesMax / 2);
               EXPECT_THAT(writes, ElementsAre(Write{1, block(1, "a") + block(2, "b")}));
               owner_.flush_soon(published("c"), kRoundBytesMax / 2);
               EXPECT_THAT(writes, SizeIs(1)) << "the count began anew";
             },
             [] {}, [&] { EXPECT_THAT(writes, SizeIs(2)); }});
}

TEST_F(StreamOwnerTest, StreamsAreFlushedInTheOrderInWhichTheyCame) {
  constexpr int kStreams = 10'000;
  Writes writes;
  run_steps(reactor_, owner_,
            {[&] {
               for (int i = 0; i < kStreams; ++i) open(owner_, i, writes, std::to_string(i % 100));
               for (int i = 99; i >= 0; --i) owner_.flush_soon(published("x", std::to_string(i)), 0);
             },
             [] {},
             [&] {
               ASSERT_THAT(writes, SizeIs(kStreams));
               for (int i = 0; i < kStreams; ++i) ASSERT_EQ(writes[static_cast<std::size_t>(i)].stream, i);
             }});
}

TEST_F(StreamOwnerTest, PlacesOfStreamsThatHaveGoneAreGivenAgain) {
  Writes writes;
  run_steps(reactor_, owner_,
            {[&] {
               for (int i = 0; i < 3; ++i) open(owner_, i, writes);
               owner_.streams()[1]->cut();
               EXPECT_EQ(owner_.open(), 2U);
               open(owner_, 3, writes);
               EXPECT_EQ(owner_.open(), 3U);
               owner_.flush_soon(published("x"), 0);
             },
             [] {},
             [&] {
               std::vector<int> order;
               for (const Write& write : writes) order.push_back(write.stream);
               EXPECT_THAT(order, ElementsAre(0, 3, 2));
             }});
}

TEST_F(StreamOwnerTest, AFewStreamsOfOthersAreFlushedHereAndManyByTheirOwners) {
  io::Reactor others_reactor;
  StreamOwner other(others_reactor, 1, kRoundBytesMax);
  Writes writes;
  run_steps(reactor_, owner_,
            {[&] {
               for (int i = 0; i < 17; ++i) open(other, i, writes, i == 0 ? "few" : "many");
               owner_.flush_soon(published("x", "few"), 0);
             },
             [] {},
             [&] {
               EXPECT_THAT(writes, SizeIs(1));
               owner_.flush_soon(published("x", "few"), 0);
               owner_.flush_soon(published("x", "many"), 0);
             },
             [] {}, [&] { EXPECT_THAT(writes, SizeIs(1)) << "17 are left to their owner"; }});
  run_steps(others_reactor, other, {[] {}, [&] { EXPECT_THAT(writes, SizeIs(18)); }});
}

TEST_F(StreamOwnerTest, OthersMayWaitUntilAnOwnerHasFlushed) {
  constexpr int kRounds = 2'000;
  constexpr int kStreams = 200;
  Writes writes;
  std::latch opened(1);
  reactor_.post([&] {
    for (int i = 0; i < kStreams; ++i) open(owner_, i, writes);
    opened.count_down();
  });
  std::thread publisher([&] {
    opened.wait();
    for (int round = 0; round < kRounds; ++round) flush_by_owners_and_wait(published("x"));
    reactor_.post([&] {
      for (EventStream* const stream : owner_.streams()) stream->cut();
      reactor_.post([&] { reactor_.stop(); });
    });
  });
  reactor_.run();
  publisher.join();
  // Each was written before the next was published, so no two share a write.
  EXPECT_THAT(writes, SizeIs(kRounds * kStreams));
}

/// Two threads leave streams to one owner as fast as they can: none is forgotten, none is given twice.
TEST_F(StreamOwnerTest, NoMarkIsLost) {
  constexpr int kEvents = 20'000;
  constexpr int kUsers = 300;
  Writes writes;
  std::atomic<int> running{2};
  std::latch opened(1);
  reactor_.post([&] {
    for (int i = 0; i < kUsers; ++i) open(owner_, i, writes, std::to_string(i));
    opened.count_down();
  });
  const auto publish_all = [&](int from) {
    opened.wait();
    for (int i = 0; i < kEvents; ++i) flush_by_owners(published("x", std::to_string((i * 7 + from) % kUsers)));
    if (--running > 0) return;
    // Behind the letter that the last mark has sent.
    reactor_.post([&] {
      reactor_.post([&] {
        for (EventStream* const stream : owner_.streams()) stream->cut();
        reactor_.post([&] { reactor_.stop(); });
      });
    });
  };
  std::thread first([&] { publish_all(0); });
  std::thread second([&] { publish_all(1); });
  reactor_.run();
  first.join();
  second.join();
  std::size_t events = 0;
  for (const Write& write : writes) {
    for (std::size_t at = 0; (at = write.bytes.find("data: x", at)) != std::string::npos; ++at) ++events;
  }
  EXPECT_EQ(events, 2U * kEvents);
}

/// Whoever has flushed another owner's stream touches it no more: its owner may have destroyed it.
TEST_F(StreamOwnerTest, AStreamMayEndAsSoonAsAnotherThreadHasFlushedIt) {
  constexpr int kStreams = 5'000;
  const UserStream::KeepAlive keep_alive{.interval = std::chrono::hours(1), .comment = {}};
  io::Reactor others_reactor;
  StreamOwner other(others_reactor, 1, kRoundBytesMax);
  std::thread others([&] { others_reactor.run(); });
  std::function<void(int)> go = [&](int left) {
    for (EventStream* const stream : owner_.streams()) stream->cut();
    if (left == 0) {
      others_reactor.stop();
      reactor_.stop();
      return;
    }
    auto* const stream = new UserStream(hub_, owner_, keep_alive);
    ASSERT_TRUE(hub_.attach(*stream, kUser, {}, milliseconds(1)));
    stream->start(std::make_unique<NullSink>(), [] {});
    others_reactor.post([&] { other.flush_soon(published("x"), 1); });
    reactor_.post([&, left] { go(left - 1); });
  };
  reactor_.post([&] { go(kStreams); });
  reactor_.run();
  others.join();
}

}  // namespace
}  // namespace rillgate::api
