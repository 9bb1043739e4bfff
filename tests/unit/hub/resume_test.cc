#include "unit/hub/hub_fixture.h"

namespace rillgate::hub::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using From = Resume::From;

class Resuming : public HubTest {
 protected:
  void publish_numbers(std::string_view user, int first, int last) {
    for (int i = first; i <= last; ++i) publish(user, std::to_string(i));
  }
};

TEST_F(Resuming, AStreamWithoutAnIdGetsLiveEventsOnly) {
  publish_numbers("ann", 1, 3);
  FakeStream& stream = open("ann");
  publish("ann", "4");
  EXPECT_THAT(stream.take(), ElementsAre(opened(3), event(4, "4")));
}

TEST_F(Resuming, AnIdGetsAllThatCameAfterItThenLiveEvents) {
  publish_numbers("ann", 1, 4);
  FakeStream& stream = open_from("ann", id(2));
  publish("ann", "5");
  EXPECT_THAT(stream.take(), ElementsAre(opened(2), event(3, "3"), event(4, "4"), event(5, "5")));
}

TEST_F(Resuming, TheNewestIdGetsNothingOld) {
  publish_numbers("ann", 1, 4);
  EXPECT_THAT(open_from("ann", id(4)).take(), ElementsAre(opened(4)));
}

TEST_F(Resuming, EarliestGetsAllThatIsKept) {
  options.history_size = 2;
  EXPECT_THAT(open("ann", {.from = From::kEarliest}).take(), ElementsAre(opened(0)));
  publish_numbers("ann", 1, 5);
  EXPECT_THAT(open("ann", {.from = From::kEarliest}).take(), ElementsAre(opened(3), event(4, "4"), event(5, "5")));
}

TEST_F(Resuming, TheIdOfStreamOpenIsAPositionToResumeFrom) {
  publish_numbers("ann", 1, 3);
  EXPECT_THAT(open("ann").take(), ElementsAre(opened(3)));  // cut off before its first event
  publish_numbers("ann", 4, 5);
  EXPECT_THAT(open_from("ann", id(3)).take(), ElementsAre(opened(3), event(4, "4"), event(5, "5")));
}

TEST_F(Resuming, TheIdOfAStreamThatNeverHadAnEventIsGoodThoughTheUserWasForgottenMeanwhile) {
  FakeStream& stream = open("ann");
  EXPECT_THAT(stream.take(), ElementsAre(opened(0)));
  EXPECT_TRUE(hub().detach(stream, End::kClient));
  stream.flushed = Flushed::kEnded;
  EXPECT_EQ(hub().stats().users, 0U);
  publish("ann", "1");
  EXPECT_THAT(open_from("ann", id(0)).take(), ElementsAre(opened(0), event(1, "1")));
}

TEST_F(Resuming, BroadcastsAreMergedIntoTheReplayByTheirNumbers) {
  publish("ann", "own 1");
  broadcast("all 2");
  publish("ann", "own 3");
  publish("ann", "own 4");
  broadcast("all 5");
  EXPECT_THAT(open_from("ann", id(1)).take(),
              ElementsAre(opened(1), event(2, "all 2"), event(3, "own 3"), event(4, "own 4"), event(5, "all 5")));
  EXPECT_THAT(open_from("bob", id(0)).take(), ElementsAre(opened(0), event(2, "all 2"), event(5, "all 5")));
}

TEST_F(Resuming, AnIdFromAnotherStartIsAGapAndEverythingKeptFollows) {
  publish_numbers("ann", 1, 2);
  EXPECT_THAT(open_from("ann", "old-17").take(),
              ElementsAre(gap(0, "old-17", "\"e-1\""), event(1, "1"), event(2, "2")));
  EXPECT_EQ(hub().counters().gaps.value(), 1U);
}

TEST_F(Resuming, WhateverIsNoIdOfOursIsAGapThatQuotesIt) {
  publish("ann", "1");
  for (const auto& [asked, quoted] :
       std::vector<std::pair<std::string, std::string>>{{"e-", "e-"},
                                                        {"e-x", "e-x"},
                                                        {"17", "17"},
                                                        {"\"\\\n\xff", "\\\"\\\\\\n\xef\xbf\xbd"},
                                                        {"e-2", "e-2"},
                                                        {"e-18446744073709551615", "e-18446744073709551615"}}) {
    EXPECT_THAT(open_from("ann", asked).take(), ElementsAre(gap(0, quoted, "\"e-1\""), event(1, "1"))) << asked;
  }
}

TEST_F(Resuming, AGapWithNothingKeptSaysNullAndContinuesFromNow) {
  options.history_size = 0;
  publish_numbers("ann", 1, 3);
  FakeStream& stream = open_from("ann", id(1));
  EXPECT_THAT(stream.take(), ElementsAre(gap(3, "e-1", "null")));
  publish("ann", "4");
  EXPECT_THAT(stream.take(), ElementsAre(event(4, "4")));
}

TEST_F(Resuming, AnIdOlderThanWhatIsKeptIsAGapToTheOldestKept) {
  options.history_size = 3;
  publish_numbers("ann", 1, 10);
  EXPECT_THAT(open_from("ann", id(4)).take(),
              ElementsAre(gap(7, "e-4", "\"e-8\""), event(8, "8"), event(9, "9"), event(10, "10")));
  // The last one that was dropped is the first one that is not missed.
  EXPECT_THAT(open_from("ann", id(7)).take(), ElementsAre(opened(7), event(8, "8"), event(9, "9"), event(10, "10")));
  EXPECT_THAT(open_from("ann", id(6)).take(),
              ElementsAre(gap(7, "e-6", "\"e-8\""), event(8, "8"), event(9, "9"), event(10, "10")));
}

TEST_F(Resuming, TheIdOfAGapSkipsNothingOfWhatFollows) {
  options.history_size = 2;
  publish_numbers("ann", 1, 5);
  FakeStream& stream = open_from("ann", id(1), 1);  // cut off after the gap's block
  EXPECT_THAT(stream.take(), ElementsAre(gap(3, "e-1", "\"e-4\"")));
  EXPECT_THAT(open_from("ann", id(3)).take(), ElementsAre(opened(3), event(4, "4"), event(5, "5")));
}

TEST_F(Resuming, ABroadcastThatIsNoLongerKeptIsAGapForEverybody) {
  options.history_size = 1;
  broadcast("all 1");
  broadcast("all 2");
  EXPECT_THAT(open_from("ann", id(0)).take(), ElementsAre(gap(1, "e-0", "\"e-2\""), event(2, "all 2")));
  EXPECT_THAT(open_from("ann", id(1)).take(), ElementsAre(opened(1), event(2, "all 2")));
}

TEST_F(Resuming, WhatAForgottenUserLostIsStillAGap) {
  publish("ann", "1");
  now += options.history_ttl;
  hub().sweep();
  EXPECT_EQ(hub().stats().users, 0U);
  EXPECT_THAT(open_from("ann", id(0)).take(), ElementsAre(gap(1, "e-0", "null")));
  EXPECT_THAT(open_from("ann", id(1)).take(), ElementsAre(opened(1)));
}

TEST_F(Resuming, AReplayIsPacedByTheReaderAndJoinsTheLiveEventsWithoutHoleOrRepeat) {
  publish_numbers("ann", 1, 500);
  FakeStream& stream = open_from("ann", id(0), 100);
  EXPECT_EQ(stream.flushed, Flushed::kBlocked);
  publish_numbers("ann", 501, 600);  // while it replays
  make_room(stream, 300);
  publish_numbers("ann", 601, 650);
  make_room(stream);
  EXPECT_EQ(stream.flushed, Flushed::kIdle);
  publish_numbers("ann", 651, 660);
  const auto blocks = stream.take();
  ASSERT_EQ(blocks.size(), 661U);
  EXPECT_EQ(blocks[0], opened(0));
  for (std::uint64_t i = 1; i <= 660; ++i) ASSERT_EQ(blocks[i], event(i, std::to_string(i)));
}

TEST_F(Resuming, WhatIsPublishedWhileAReplayWritesIsSentOnce) {
  publish_numbers("ann", 1, 3);
  FakeStream& stream = attach("ann", {.from = From::kId, .id = "e-0"});
  stream.in_write = [&] {
    publish("ann", "4");
    stream.in_write = [&] { publish("ann", "5"); };
  };
  EXPECT_EQ(flush(stream), Flushed::kIdle);
  EXPECT_THAT(stream.take(),
              ElementsAre(opened(0), event(1, "1"), event(2, "2"), event(3, "3"), event(4, "4"), event(5, "5")));
}

TEST_F(Resuming, AReplayDoesNotCountAsQueued) {
  options.stream_buffer = 1'000;
  const std::string large(400, 'x');
  for (int i = 0; i < 20; ++i) publish("ann", large);
  FakeStream& stream = open_from("ann", id(0), 1);
  EXPECT_EQ(stream.flushed, Flushed::kBlocked);
  EXPECT_EQ(budget().queued_bytes(), 0U);
  for (int i = 0; i < 20; ++i) publish("ann", large);  // far more than the buffer: all of it waits in the history
  EXPECT_EQ(budget().queued_bytes(), 0U);
  make_room(stream);
  EXPECT_EQ(stream.take().size(), 41U);
}

TEST_F(Resuming, AReplayThatEvictionOvertakesTellsTheGapAndGoesOn) {
  options.history_size = 200;
  publish_numbers("ann", 1, 200);
  FakeStream& stream = open_from("ann", id(0), 10);  // up to 64 events are in its queue already
  publish_numbers("ann", 201, 500);
  make_room(stream);
  const auto blocks = stream.take();
  std::size_t at = 1;
  while (blocks[at].starts_with("id: ")) ++at;
  const std::uint64_t last = at - 1;
  EXPECT_LE(last, 64U);
  EXPECT_EQ(blocks[last], event(last, std::to_string(last)));
  EXPECT_EQ(blocks[at],
            fmt::format("event: stream-gap\nid: e-300\ndata: {{\"requested\":\"e-{}\",\"oldest\":\"e-301\"}}"
                        "\n\n",
                        last));
  ASSERT_EQ(blocks.size(), at + 1 + 200);
  for (std::uint64_t i = 301; i <= 500; ++i) EXPECT_EQ(blocks[at + i - 300], event(i, std::to_string(i)));
  EXPECT_EQ(hub().counters().gaps.value(), 1U);
  publish("ann", "501");
  EXPECT_THAT(stream.take(), ElementsAre(event(501, "501")));
}

TEST_F(Resuming, AStreamThatWasToldOfAGapIsNotToldAgain) {
  options.history_size = 2;
  publish_numbers("ann", 1, 5);
  FakeStream& stream = open_from("ann", "nonsense");
  publish_numbers("ann", 6, 20);
  std::size_t gaps = 0;
  for (const auto& block : stream.take()) gaps += block.starts_with("event: stream-gap") ? 1 : 0;
  EXPECT_EQ(gaps, 1U);
}

}  // namespace
}  // namespace rillgate::hub::test
