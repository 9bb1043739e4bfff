// A hub with a clock that stands still and streams whose transports take what the test lets them take.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hub/hub.h"

namespace rillgate::hub::test {

using std::chrono::milliseconds;

inline constexpr std::size_t kAnyNumber = SIZE_MAX;

class FakeStream final : public Stream {
 public:
  /// The payloads that the transport has taken, one a frame, since the last question.
  std::vector<std::string> take() { return std::exchange(blocks_, {}); }

  std::size_t room = kAnyNumber;          // frames that the transport takes before it is full
  bool is_broken = false;                 // the peer is gone
  std::function<void()> in_write = {};    // what others do while the holder writes
  Flushed flushed = Flushed::kIdle;       // what the last flush said
  std::vector<std::size_t> batches = {};  // frames that each write was offered

 private:
  Written write(std::span<const Frame> frames) override {
    batches.push_back(frames.size());
    if (const auto deed = std::exchange(in_write, nullptr)) deed();
    if (is_broken) return {.frames = 0, .state = Written::State::kBroken};
    std::size_t taken = 0;
    for (; taken < frames.size() && room > 0; ++taken, room -= room == kAnyNumber ? 0 : 1) {
      blocks_.emplace_back(frames[taken].payload());
    }
    return {.frames = taken, .state = taken == frames.size() ? Written::State::kAll : Written::State::kFull};
  }

  std::vector<std::string> blocks_;
};

inline std::string id(std::uint64_t seq) {
  return fmt::format("e-{}", seq);
}
inline std::string opened(std::uint64_t seq) {
  return fmt::format("event: stream-open\nid: e-{}\nretry: 2000\ndata:\n\n", seq);
}
inline std::string event(std::uint64_t seq, std::string_view data) {
  return fmt::format("id: e-{}\ndata: {}\n\n", seq, data);
}
/// `oldest` is JSON: an id in quotes, or null.
inline std::string gap(std::uint64_t seq, std::string_view requested, std::string_view oldest) {
  return fmt::format("event: stream-gap\nid: e-{}\nretry: 2000\ndata: {{\"requested\":\"{}\",\"oldest\":{}}}\n\n", seq,
                     requested, oldest);
}

class HubTest : public ::testing::Test {
 protected:
  /// Made at first use, so that a test can set options and limits before.
  Hub& hub() {
    if (!hub_) {
      budget_ = std::make_unique<Budget>(limits);
      options.clock = [this] { return now; };
      hub_ = std::make_unique<Hub>(options, *budget_);
    }
    return *hub_;
  }
  Budget& budget() {
    hub();
    return *budget_;
  }

  void TearDown() override {
    for (const auto& stream : streams_) {
      if (stream->flushed != Flushed::kEnded && hub().detach(*stream, End::kClient)) stream->flushed = Flushed::kEnded;
    }
    if (!hub_) return;
    EXPECT_EQ(budget_->queued_bytes(), 0U);
    EXPECT_EQ(budget_->streams(), 0U);
    EXPECT_EQ(hub_->stats().streams, 0U);
    hub_.reset();
    EXPECT_EQ(budget_->history_bytes(), 0U) << "the hub's end leaves nothing";
  }

  static Ref<Event> draft(std::string_view data) { return Event::draft({.type = "", .data = data}); }

  /// Publishes, and flushes whoever is to be.
  Published publish(std::string_view user, std::string_view data) { return flushed(hub().publish(user, draft(data))); }
  Published broadcast(std::string_view data) { return flushed(hub().broadcast(draft(data))); }

  /// A stream that is attached and not flushed yet; the test holds its token.
  FakeStream& attach(std::string_view user, const Resume& resume = {}, std::size_t room = kAnyNumber) {
    streams_.push_back(std::make_unique<FakeStream>());
    FakeStream& stream = *streams_.back();
    stream.room = room;
    EXPECT_TRUE(hub().attach(stream, user, resume, milliseconds(2'000)).has_value());
    return stream;
  }
  FakeStream& open(std::string_view user, const Resume& resume = {}, std::size_t room = kAnyNumber) {
    FakeStream& stream = attach(user, resume, room);
    flush(stream);
    return stream;
  }
  FakeStream& open_from(std::string_view user, std::string_view id, std::size_t room = kAnyNumber) {
    return open(user, {.from = Resume::From::kId, .id = id}, room);
  }
  /// A stream whose first block is taken and whose transport takes nothing more.
  FakeStream& open_full(std::string_view user) {
    FakeStream& stream = open(user, {}, 1);
    stream.take();
    return stream;
  }

  Flushed flush(FakeStream& stream) {
    FlushList others;
    do stream.flushed = hub().flush(stream, others);
    while (stream.flushed == Flushed::kMore);
    flush_all(others);
    return stream.flushed;
  }
  void flush_all(FlushList& list) {
    while (!list.empty()) flush(static_cast<FakeStream&>(list.pop()));
  }
  void make_room(FakeStream& stream, std::size_t room = kAnyNumber) {
    stream.room = room;
    if (hub().writable(stream)) flush(stream);
  }
  [[nodiscard]] std::uint64_t ends(End reason) {
    return hub().counters().ends[static_cast<std::size_t>(reason)].value();
  }

  Time now{std::chrono::hours(1)};
  Hub::Options options{.epoch = "e",
                       .history_size = 1'000,
                       .history_bytes = 1 << 20,
                       .history_ttl = milliseconds(60'000),
                       .stream_buffer = 1 << 20,
                       .streams_per_user = 100,
                       .clock = {}};
  Budget::Limits limits{.queued_bytes = 1 << 30, .history_bytes = 1 << 30, .streams = 1'000};

 private:
  Published flushed(Published published) {
    flush_all(published.to_flush);
    return published;
  }

  std::unique_ptr<Budget> budget_;
  std::unique_ptr<Hub> hub_;
  std::vector<std::unique_ptr<FakeStream>> streams_;
};

}  // namespace rillgate::hub::test
