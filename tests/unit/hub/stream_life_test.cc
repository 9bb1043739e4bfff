#include "unit/hub/hub_fixture.h"

namespace rillgate::hub::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StreamLife : public HubTest {
 protected:
  Hub::KeepAlive keep_alive(FakeStream& stream) {
    const auto result = hub().keep_alive(stream, comment_, kInterval);
    if (result.to_flush) flush(stream);
    return result;
  }
  static Ref<Event> last_block() { return Event::fixed("event: stream-close\ndata:\n\n"); }

  static constexpr milliseconds kInterval{15'000};
  const Ref<Event> comment_ = Event::fixed(": keep-alive-text\n\n");
};

// ---- Keep-alive

TEST_F(StreamLife, ACommentFollowsASilence) {
  FakeStream& stream = open("ann");
  stream.take();
  now += kInterval - milliseconds(1);
  const auto early = keep_alive(stream);
  EXPECT_FALSE(early.to_flush);
  EXPECT_EQ(early.next, now + milliseconds(1)) << "ask again when the silence is long enough";
  now += milliseconds(1);
  const auto due = keep_alive(stream);
  EXPECT_TRUE(due.to_flush);
  EXPECT_EQ(due.next, now + kInterval);
  EXPECT_THAT(stream.take(), ElementsAre(": keep-alive-text\n\n"));
}

TEST_F(StreamLife, RealTrafficPutsTheKeepAliveOff) {
  FakeStream& stream = open("ann");
  now += milliseconds(10'000);
  publish("ann", "1");
  now += milliseconds(10'000);
  stream.take();
  EXPECT_EQ(keep_alive(stream).next, now + milliseconds(5'000));
  EXPECT_THAT(stream.take(), IsEmpty());
}

TEST_F(StreamLife, AnIdleStreamIsToldItsPositionWhenThatHasMoved) {
  FakeStream& stream = open("ann");
  stream.take();
  // Another user's event moves the position when that user is of the same stripe: a new stream's first block tells.
  const auto has_moved = [&] {
    FakeStream& probe = open("ann");
    EXPECT_TRUE(hub().detach(probe, End::kClient));
    probe.flushed = Flushed::kEnded;
    return probe.take()[0] != opened(0);
  };
  for (int i = 0; !has_moved(); ++i) publish(fmt::format("user{}", i), "x");
  now += kInterval;
  keep_alive(stream);
  EXPECT_THAT(stream.take(), ElementsAre("event: stream-position\nid: e-1\ndata:\n\n"));
  now += kInterval;
  keep_alive(stream);
  EXPECT_THAT(stream.take(), ElementsAre(": keep-alive-text\n\n")) << "once is enough";
  publish("ann", "mine");
  EXPECT_THAT(stream.take(), ElementsAre(event(2, "mine")));
}

TEST_F(StreamLife, ABlockedOrEndedStreamGetsNoKeepAlive) {
  FakeStream& stream = open_full("ann");
  publish("ann", "1");
  ASSERT_EQ(stream.flushed, Flushed::kBlocked);
  now += kInterval * 2;
  EXPECT_FALSE(keep_alive(stream).to_flush);
  EXPECT_TRUE(hub().finish(stream, End::kDrain, last_block()));
  EXPECT_EQ(flush(stream), Flushed::kBlocked);
  EXPECT_FALSE(keep_alive(stream).to_flush);
  make_room(stream);
  EXPECT_EQ(stream.flushed, Flushed::kEnded);
}

// ---- Bare streams and push

TEST_F(StreamLife, ABareStreamGetsWhatIsPushedAndNothingElse) {
  FakeStream stream;
  ASSERT_TRUE(hub().attach_bare(stream, "ann"));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(hub().push(stream, Event::fixed("data: hi!\n\n")));
    EXPECT_EQ(flush(stream), Flushed::kIdle);
  }
  EXPECT_THAT(stream.take(), ElementsAre("data: hi!\n\n", "data: hi!\n\n"));
  EXPECT_TRUE(hub().detach(stream, End::kClient));
  EXPECT_FALSE(hub().push(stream, Event::fixed("data: hi!\n\n"))) << "it has ended";
}

TEST_F(StreamLife, WhatIsPushedStandsInLineAndIsHeldToTheBuffer) {
  options.stream_buffer = 200;
  FakeStream& stream = open_full("ann");
  publish("ann", "1");
  EXPECT_FALSE(hub().push(stream, Event::fixed("pushed\n\n")));
  publish("ann", "2");
  make_room(stream);
  EXPECT_THAT(stream.take(), ElementsAre(event(1, "1"), "pushed\n\n", event(2, "2")));
  stream.room = 0;
  ASSERT_TRUE(hub().push(stream, Event::fixed(std::string(150, 'x'))));
  EXPECT_EQ(flush(stream), Flushed::kBlocked);
  EXPECT_TRUE(hub().push(stream, Event::fixed(std::string(150, 'x')))) << "the caller holds the token of its end";
  EXPECT_EQ(flush(stream), Flushed::kEnded);
  EXPECT_EQ(ends(End::kSlowConsumer), 1U);
}

// ---- Finish

TEST_F(StreamLife, AnIdleStreamThatIsFinishedSendsTheLastBlockAndEnds) {
  FakeStream& stream = open("ann");
  stream.take();
  ASSERT_TRUE(hub().finish(stream, End::kDrain, last_block()));
  EXPECT_EQ(flush(stream), Flushed::kEnded);
  EXPECT_THAT(stream.take(), ElementsAre("event: stream-close\ndata:\n\n"));
  EXPECT_EQ(ends(End::kDrain), 1U);
  EXPECT_EQ(hub().stats().streams, 0U);
}

TEST_F(StreamLife, ABlockedStreamThatIsFinishedSendsWhatWaitsAndThenTheLastBlock) {
  FakeStream& stream = open_full("ann");
  for (int i = 1; i <= 3; ++i) publish("ann", std::to_string(i));
  ASSERT_TRUE(hub().finish(stream, End::kDrain, last_block()));
  EXPECT_EQ(budget().queued_bytes(), 0U) << "it no longer grows";
  publish("ann", "4");  // too late for this stream
  EXPECT_EQ(flush(stream), Flushed::kBlocked);
  make_room(stream, 1);
  EXPECT_EQ(stream.flushed, Flushed::kBlocked);
  make_room(stream);
  EXPECT_EQ(stream.flushed, Flushed::kEnded);
  EXPECT_THAT(stream.take(),
              ElementsAre(event(1, "1"), event(2, "2"), event(3, "3"), "event: stream-close\ndata:\n\n"));
  EXPECT_EQ(budget().queued_bytes(), 0U);
}

TEST_F(StreamLife, AStreamThatIsFinishedWhileItsHolderWritesEndsWithTheHolder) {
  FakeStream& stream = open("ann");
  stream.take();
  stream.in_write = [&] {
    publish("ann", "2");
    EXPECT_FALSE(hub().finish(stream, End::kDrain, last_block()));
    EXPECT_FALSE(hub().finish(stream, End::kDrain, last_block())) << "once";
    publish("ann", "3");
  };
  publish("ann", "1");
  EXPECT_EQ(stream.flushed, Flushed::kEnded);
  EXPECT_THAT(stream.take(), ElementsAre(event(1, "1"), event(2, "2"), "event: stream-close\ndata:\n\n"));
}

TEST_F(StreamLife, AReplayThatIsFinishedStopsAndTheClientResumes) {
  for (int i = 1; i <= 200; ++i) publish("ann", std::to_string(i));
  FakeStream& stream = open_from("ann", id(0), 10);
  ASSERT_TRUE(hub().finish(stream, End::kDrain, last_block()));
  EXPECT_EQ(flush(stream), Flushed::kBlocked);
  make_room(stream);
  EXPECT_EQ(stream.flushed, Flushed::kEnded);
  const auto blocks = stream.take();
  EXPECT_LT(blocks.size(), 200U);
  EXPECT_EQ(blocks.back(), "event: stream-close\ndata:\n\n");
  for (std::size_t i = 1; i + 1 < blocks.size(); ++i) EXPECT_EQ(blocks[i], event(i, std::to_string(i)));
}

// ---- Detach

TEST_F(StreamLife, WhoDetachesAnIdleOrBlockedStreamHoldsItsToken) {
  FakeStream& idle = open("ann");
  EXPECT_TRUE(hub().detach(idle, End::kClient));
  idle.flushed = Flushed::kEnded;
  FakeStream& blocked = open_full("ann");
  publish("ann", "1");
  EXPECT_GT(budget().queued_bytes(), 0U);
  EXPECT_TRUE(hub().detach(blocked, End::kClient));
  blocked.flushed = Flushed::kEnded;
  EXPECT_EQ(budget().queued_bytes(), 0U);
  EXPECT_EQ(publish("ann", "2").streams, 0U);
  EXPECT_EQ(ends(End::kClient), 2U);
}

TEST_F(StreamLife, AStreamThatIsDetachedWhileAnotherHoldsTheTokenEndsWithTheHolder) {
  FakeStream& stream = open("ann");
  stream.take();
  stream.in_write = [&] {
    EXPECT_FALSE(hub().detach(stream, End::kClient));
    EXPECT_FALSE(hub().detach(stream, End::kDrain)) << "the first reason stays";
    EXPECT_EQ(hub().stats().streams, 0U);
    EXPECT_EQ(publish("ann", "2").streams, 0U);
  };
  publish("ann", "1");
  EXPECT_EQ(stream.flushed, Flushed::kEnded);
  EXPECT_EQ(ends(End::kClient), 1U);
  EXPECT_EQ(ends(End::kDrain), 0U);
}

TEST_F(StreamLife, AFinishedStreamThatStillHasToSendCanBeDetached) {
  FakeStream& stream = open_full("ann");
  publish("ann", "1");
  ASSERT_TRUE(hub().finish(stream, End::kDrain, last_block()));
  EXPECT_EQ(flush(stream), Flushed::kBlocked);
  EXPECT_TRUE(hub().detach(stream, End::kClient));
  stream.flushed = Flushed::kEnded;
  EXPECT_EQ(ends(End::kDrain), 1U);
  EXPECT_EQ(ends(End::kClient), 0U);
}

TEST_F(StreamLife, AFinishedStreamWhoseTransportBreaksEnds) {
  FakeStream& stream = open_full("ann");
  publish("ann", "1");
  stream.is_broken = true;
  ASSERT_TRUE(hub().finish(stream, End::kDrain, last_block()));
  EXPECT_EQ(flush(stream), Flushed::kEnded);
  EXPECT_EQ(ends(End::kDrain), 1U);
}

// ---- Limits

TEST_F(StreamLife, AUserHasAsManyStreamsAsMayBe) {
  options.streams_per_user = 2;
  FakeStream& first = open("ann");
  open("ann");
  FakeStream refused;
  EXPECT_EQ(hub().attach(refused, "ann", {}, milliseconds(1)).error(), Refusal::kTooManyStreamsOfUser);
  EXPECT_EQ(hub().attach_bare(refused, "ann").error(), Refusal::kTooManyStreamsOfUser);
  EXPECT_EQ(hub().stats().streams, 2U);
  EXPECT_EQ(budget().streams(), 2U);
  open("bob");
  EXPECT_TRUE(hub().detach(first, End::kClient));
  first.flushed = Flushed::kEnded;
  open("ann");
}

TEST_F(StreamLife, AllUsersTogetherHaveAsManyStreamsAsMayBe) {
  limits.streams = 2;
  FakeStream& first = open("ann");
  open("bob");
  FakeStream refused;
  EXPECT_EQ(hub().attach(refused, "eve", {}, milliseconds(1)).error(), Refusal::kTooManyStreams);
  EXPECT_EQ(hub().stats().users, 2U) << "a refused user leaves nothing behind";
  EXPECT_TRUE(hub().detach(first, End::kClient));
  first.flushed = Flushed::kEnded;
  open("eve");
}

TEST_F(StreamLife, ARefusedUserLeavesNothingBehind) {
  options.streams_per_user = 0;
  FakeStream refused;
  EXPECT_EQ(hub().attach(refused, "ann", {}, milliseconds(1)).error(), Refusal::kTooManyStreamsOfUser);
  EXPECT_EQ(hub().stats().users, 0U);
  EXPECT_EQ(budget().streams(), 0U);
}

}  // namespace
}  // namespace rillgate::hub::test
