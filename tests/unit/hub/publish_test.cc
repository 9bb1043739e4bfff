#include <set>

#include "unit/hub/hub_fixture.h"

namespace rillgate::hub::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Publishing : public HubTest {};

TEST_F(Publishing, EveryStreamOfTheUserGetsEveryEventInOrderAndNobodyElseDoes) {
  FakeStream& phone = open("ann");
  FakeStream& laptop = open("ann");
  FakeStream& other = open("bob");
  for (const auto* data : {"1", "2", "3"}) EXPECT_EQ(publish("ann", data).streams, 2U);
  for (FakeStream* stream : {&phone, &laptop}) {
    EXPECT_THAT(stream->take(), ElementsAre(opened(0), event(1, "1"), event(2, "2"), event(3, "3")));
  }
  EXPECT_THAT(other.take(), ElementsAre(opened(0)));
}

TEST_F(Publishing, UsersAreComparedByteForByte) {
  FakeStream& stream = open("ann");
  for (const auto* name : {"Ann", "ann ", "an", "annn"}) EXPECT_EQ(publish(name, "x").streams, 0U);
  EXPECT_THAT(stream.take(), ElementsAre(opened(0)));
}

TEST_F(Publishing, AUserWithoutAStreamIsNoErrorAndTheEventWaits) {
  const Published published = publish("ann", "early");
  EXPECT_EQ(published.streams, 0U);
  FakeStream& stream = open("ann", {.from = Resume::From::kEarliest});
  EXPECT_THAT(stream.take(), ElementsAre(opened(value(published.seq) - 1), event(value(published.seq), "early")));
}

TEST_F(Publishing, TheTypeTravelsWithTheEvent) {
  FakeStream& stream = open("ann");
  stream.take();
  Published published = hub().publish("ann", Event::draft({.type = "update", .data = "a\r\nb"}));
  flush_all(published.to_flush);
  EXPECT_THAT(stream.take(), ElementsAre("id: e-1\nevent: update\ndata: a\ndata: b\n\n"));
}

TEST_F(Publishing, ABroadcastHasOneNumberForAllUsersAndItsPlaceInTheOrderOfEach) {
  // Enough users for all stripes, and each stripe's counter somewhere else.
  std::vector<FakeStream*> streams;
  std::uint64_t newest = 0;
  for (int i = 0; i < 300; ++i) {
    streams.push_back(&open(fmt::format("user{}", i)));
    for (int j = 0; j < i % 7; ++j) newest = std::max(newest, value(publish(fmt::format("user{}", i), "before").seq));
  }
  const Published published = broadcast("all");
  EXPECT_EQ(published.streams, 300U);
  EXPECT_GT(value(published.seq), newest);
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const std::uint64_t after = value(publish(fmt::format("user{}", i), "after").seq);
    EXPECT_GT(after, value(published.seq));
    auto blocks = streams[i]->take();
    ASSERT_EQ(blocks.size(), 3 + i % 7);
    EXPECT_EQ(blocks[blocks.size() - 2], event(value(published.seq), "all"));
    EXPECT_EQ(blocks.back(), event(after, "after"));
  }
}

TEST_F(Publishing, ABroadcastReachesWhoComesLater) {
  const Published published = broadcast("all");
  EXPECT_EQ(published.streams, 0U);
  EXPECT_THAT(open("ann", {.from = Resume::From::kEarliest}).take(),
              ElementsAre(opened(value(published.seq) - 1), event(value(published.seq), "all")));
}

TEST_F(Publishing, WhoFindsTheStreamIdleGetsTheTokenAndNobodyElse) {
  FakeStream& stream = open("ann");
  stream.take();
  Published first = hub().publish("ann", draft("1"));
  ASSERT_EQ(first.to_flush.size(), 1U);
  EXPECT_EQ(&first.to_flush.pop(), &stream);
  const Published second = hub().publish("ann", draft("2"));
  EXPECT_TRUE(second.to_flush.empty());
  EXPECT_EQ(second.streams, 1U);
  EXPECT_EQ(flush(stream), Flushed::kIdle);
  EXPECT_THAT(stream.take(), ElementsAre(event(1, "1"), event(2, "2")));
  EXPECT_EQ(hub().publish("ann", draft("3")).to_flush.size(), 1U);
  flush(stream);
}

TEST_F(Publishing, WhatIsPublishedWhileTheHolderWritesIsSentByTheHolder) {
  FakeStream& stream = open("ann");
  stream.take();
  stream.in_write = [&] {
    EXPECT_TRUE(hub().publish("ann", draft("2")).to_flush.empty());
    EXPECT_TRUE(hub().broadcast(draft("3")).to_flush.empty());
  };
  publish("ann", "1");
  EXPECT_EQ(stream.flushed, Flushed::kIdle);
  EXPECT_THAT(stream.take(), ElementsAre(event(1, "1"), event(2, "2"), event(3, "3")));
}

TEST_F(Publishing, WaitingEventsGoOutInOneWrite) {
  FakeStream& stream = open_full("ann");
  for (int i = 0; i < 10; ++i) publish("ann", "x");
  stream.batches.clear();
  make_room(stream);
  EXPECT_THAT(stream.batches, ElementsAre(10U));
}

// Whoever writes a stream that never ends must give the thread back now and then.
TEST_F(Publishing, AHolderIsToldToStopThoughMoreIsThere) {
  FakeStream& stream = open("ann");
  std::function<void()> publish_more = [&] {
    EXPECT_TRUE(hub().publish("ann", draft("x")).to_flush.empty());
    stream.in_write = publish_more;
  };
  stream.in_write = publish_more;
  Published published = hub().publish("ann", draft("first"));
  FlushList others;
  EXPECT_EQ(hub().flush(static_cast<FakeStream&>(published.to_flush.pop()), others), Flushed::kMore);
  stream.in_write = nullptr;
  EXPECT_EQ(flush(stream), Flushed::kIdle);
  EXPECT_EQ(stream.take().size(), 1 + hub().counters().events_in.value());
}

TEST_F(Publishing, IsCounted) {
  open("ann").take();
  open("ann").take();
  const std::uint64_t bytes_before = hub().counters().bytes_out.value();
  now += milliseconds(5);
  const auto event = draft("x");
  publish("ann", "x");
  publish("bob", "y");
  EXPECT_EQ(hub().counters().events_in.value(), 2U);
  EXPECT_EQ(hub().counters().events_out.value(), 2U) << "the first blocks are no events";
  EXPECT_EQ(hub().counters().bytes_out.value() - bytes_before,
            2 * fmt::format("13\r\n{}\r\n", test::event(1, "x")).size());
  EXPECT_EQ(hub().counters().delivery.snapshot().count, 2U);
  EXPECT_EQ(hub().stats().streams, 2U);
}

}  // namespace
}  // namespace rillgate::hub::test
