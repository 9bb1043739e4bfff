#include "unit/hub/hub_fixture.h"

namespace rillgate::hub::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SlowConsumers : public HubTest {
 protected:
  /// Bytes on the wire of an event with this number and data.
  static std::uint64_t wire_bytes(std::uint64_t seq, std::string_view data) {
    const std::string payload = event(seq, data);
    return fmt::format("{:x}\r\n{}\r\n", payload.size(), payload).size();
  }
};

TEST_F(SlowConsumers, ABlockedStreamKeepsWhatFitsAndGetsItWhenItReadsOn) {
  FakeStream& slow = open_full("ann");
  FakeStream& quick = open("ann");
  quick.take();
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(publish("ann", std::to_string(i)).streams, 2U);
  EXPECT_THAT(quick.take(), SizeIs(5)) << "a slow reader delays nobody";
  EXPECT_THAT(slow.take(), IsEmpty());
  EXPECT_EQ(slow.flushed, Flushed::kBlocked);
  EXPECT_EQ(budget().queued_bytes(), 5 * wire_bytes(1, "1"));
  make_room(slow, 2);
  EXPECT_THAT(slow.take(), ElementsAre(event(1, "1"), event(2, "2")));
  EXPECT_EQ(budget().queued_bytes(), 3 * wire_bytes(1, "1"));
  make_room(slow);
  EXPECT_THAT(slow.take(), ElementsAre(event(3, "3"), event(4, "4"), event(5, "5")));
  EXPECT_EQ(slow.flushed, Flushed::kIdle);
  EXPECT_EQ(budget().queued_bytes(), 0U);
}

TEST_F(SlowConsumers, WhatExactlyFillsTheBufferWaitsAndAByteMoreEndsTheBlockedStream) {
  options.stream_buffer = 3 * wire_bytes(1, "1");
  FakeStream& slow = open_full("ann");
  for (int i = 1; i <= 3; ++i) publish("ann", std::to_string(i));
  EXPECT_EQ(slow.flushed, Flushed::kBlocked);
  EXPECT_EQ(hub().stats().streams, 1U);
  publish("ann", "4");
  EXPECT_EQ(slow.flushed, Flushed::kEnded);
  EXPECT_EQ(ends(End::kSlowConsumer), 1U);
  EXPECT_EQ(hub().stats().streams, 0U);
  EXPECT_EQ(budget().queued_bytes(), 0U);
  EXPECT_THAT(slow.take(), IsEmpty());
  // The reconnect gets everything out of the history.
  EXPECT_THAT(open_from("ann", id(0)).take(),
              ElementsAre(opened(0), event(1, "1"), event(2, "2"), event(3, "3"), event(4, "4")));
}

TEST_F(SlowConsumers, ABufferThatFillsWhileTheHolderWritesEndsTheStreamToo) {
  options.stream_buffer = 3 * wire_bytes(1, "1");
  FakeStream& slow = open("ann");
  slow.take();
  slow.in_write = [&] {
    for (int i = 2; i <= 3; ++i) EXPECT_EQ(hub().publish("ann", draft(std::to_string(i))).to_flush.size(), 0U);
    EXPECT_EQ(hub().stats().streams, 1U);
    EXPECT_TRUE(hub().publish("ann", draft("4")).to_flush.empty()) << "the holder will see it";
    EXPECT_EQ(hub().stats().streams, 0U);
  };
  publish("ann", "1");
  EXPECT_EQ(slow.flushed, Flushed::kEnded);
  EXPECT_EQ(ends(End::kSlowConsumer), 1U);
}

TEST_F(SlowConsumers, AnEventLargerThanTheBufferStillReachesAStreamThatHasNothingWaiting) {
  options.stream_buffer = 100;
  FakeStream& stream = open("ann");
  stream.take();
  const std::string large(10'000, 'x');
  publish("ann", large);
  EXPECT_THAT(stream.take(), ElementsAre(event(1, large)));
}

/// The reader may have the first one whole, and have caused the second, before the first one's writer is back.
TEST_F(SlowConsumers, AnEventLargerThanTheBufferReachesAStreamThatIsBeingWritten) {
  options.stream_buffer = 100;
  FakeStream& stream = open("ann");
  stream.take();
  const std::string large(10'000, 'x');
  stream.in_write = [&] {
    if (hub().counters().events_in.value() == 1) publish("ann", large);
  };
  publish("ann", large);
  EXPECT_EQ(ends(End::kSlowConsumer), 0U);
  EXPECT_THAT(stream.take(), ElementsAre(event(1, large), event(2, large)));
}

TEST_F(SlowConsumers, ATransportThatBreaksEndsTheStreamAsTheClientsEnd) {
  FakeStream& stream = open("ann");
  stream.is_broken = true;
  publish("ann", "1");
  EXPECT_EQ(stream.flushed, Flushed::kEnded);
  EXPECT_EQ(ends(End::kClient), 1U);
  EXPECT_EQ(hub().stats().streams, 0U);
}

TEST_F(SlowConsumers, ATransportThatBecomesWritableWhileItIsFoundFullIsTriedAgain) {
  FakeStream& stream = open("ann");
  stream.take();
  stream.room = 0;
  stream.in_write = [&] {  // the socket empties just after the write was refused
    EXPECT_FALSE(hub().writable(stream)) << "the token is with the holder";
    stream.in_write = [&] { stream.room = kAnyNumber; };
  };
  publish("ann", "1");
  EXPECT_EQ(stream.flushed, Flushed::kIdle) << "else it would wait for ever: an edge comes once";
  EXPECT_THAT(stream.take(), ElementsAre(event(1, "1")));
}

TEST_F(SlowConsumers, WritableOfAStreamThatIsNotBlockedIsNothing) {
  FakeStream& stream = open("ann");
  EXPECT_FALSE(hub().writable(stream));
  publish("ann", "1");
  EXPECT_THAT(stream.take(), ElementsAre(opened(0), event(1, "1")));
}

TEST_F(SlowConsumers, OfAllThatWaitTheStreamWithMostEndsFirst) {
  limits.queued_bytes = 10'000;
  FakeStream& little = open_full("ann");
  FakeStream& most = open_full("bob");
  FakeStream& middle = open_full("eve");
  const std::string block(1'000, 'x');
  for (int i = 0; i < 2; ++i) publish("ann", block);
  for (int i = 0; i < 4; ++i) publish("bob", block);
  for (int i = 0; i < 3; ++i) publish("eve", block);
  EXPECT_LE(budget().queued_bytes(), limits.queued_bytes);
  EXPECT_EQ(hub().stats().streams, 3U);
  publish("ann", block);
  EXPECT_EQ(most.flushed, Flushed::kEnded);
  EXPECT_EQ(little.flushed, Flushed::kBlocked);
  EXPECT_EQ(middle.flushed, Flushed::kBlocked);
  EXPECT_EQ(ends(End::kSlowConsumer), 1U);
  make_room(little);
  EXPECT_THAT(little.take(), SizeIs(3));
  make_room(middle);
  EXPECT_THAT(middle.take(), SizeIs(3));
}

TEST_F(SlowConsumers, AStreamThatFindsItsTransportFullAndTheWholeFullEndsIfNobodyHasMore) {
  limits.queued_bytes = 2'000;
  const std::string block(1'500, 'x');
  FakeStream& first = open_full("ann");
  publish("ann", block);
  EXPECT_EQ(first.flushed, Flushed::kBlocked);
  FakeStream& second = open_full("bob");
  publish("bob", block);
  EXPECT_EQ(second.flushed, Flushed::kEnded) << "of equals the newcomer goes";
  EXPECT_EQ(first.flushed, Flushed::kBlocked);
  FakeStream& third = open_full("eve");
  publish("eve", std::string(600, 'z'));
  EXPECT_EQ(first.flushed, Flushed::kEnded) << "who has more makes room";
  EXPECT_EQ(third.flushed, Flushed::kBlocked);
  EXPECT_EQ(ends(End::kSlowConsumer), 2U);
}

TEST_F(SlowConsumers, ABroadcastToManyFullStreamsStaysWithinTheWhole) {
  limits.queued_bytes = 20'000;
  std::vector<FakeStream*> streams;
  for (int i = 0; i < 100; ++i) streams.push_back(&open_full(fmt::format("user{}", i)));
  FakeStream& quick = open("quick");
  quick.take();
  for (int i = 0; i < 20; ++i) {
    broadcast(std::string(100, 'x'));
    ASSERT_LE(budget().queued_bytes(), limits.queued_bytes);
  }
  EXPECT_THAT(quick.take(), SizeIs(20));
  std::size_t ended = 0;
  for (FakeStream* stream : streams) {
    if (stream->flushed == Flushed::kEnded) {
      ++ended;
      continue;
    }
    make_room(*stream);
    EXPECT_THAT(stream->take(), SizeIs(20)) << "who was spared lost nothing";
  }
  EXPECT_EQ(ends(End::kSlowConsumer), ended);
  EXPECT_GT(ended, 0U);
  EXPECT_EQ(hub().stats().streams, 101 - ended);
}

TEST_F(SlowConsumers, SeveralHubsShareTheWhole) {
  limits.queued_bytes = 5'000;
  FakeStream& first = open_full("ann");
  for (int i = 0; i < 4; ++i) publish("ann", std::string(1'000, 'x'));
  Hub::Options others = options;
  others.clock = [this] { return now; };
  Hub second(others, budget());
  FakeStream stream;
  stream.room = 1;
  ASSERT_TRUE(second.attach(stream, "bob", {}, milliseconds(1)));
  FlushList list;
  ASSERT_EQ(second.flush(stream, list), Flushed::kIdle);
  Published published = second.publish("bob", draft(std::string(1'500, 'y')));
  EXPECT_EQ(second.flush(static_cast<FakeStream&>(published.to_flush.pop()), list), Flushed::kBlocked);
  ASSERT_EQ(list.size(), 1U) << "the stream of the other hub had to go";
  EXPECT_EQ(&list.pop(), &first);
  EXPECT_EQ(flush(first), Flushed::kEnded);
  EXPECT_TRUE(second.detach(stream, End::kClient));
}

}  // namespace
}  // namespace rillgate::hub::test
