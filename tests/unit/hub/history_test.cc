#include "unit/hub/hub_fixture.h"

namespace rillgate::hub::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class History : public HubTest {
 protected:
  /// The data of what a stream from the earliest event gets.
  std::vector<std::string> kept(std::string_view user) {
    std::vector<std::string> result;
    for (const std::string& block : open(user, {.from = Resume::From::kEarliest}).take()) {
      const std::size_t data = block.find("data: ");
      if (data != std::string::npos) result.push_back(block.substr(data + 6, block.size() - data - 8));
    }
    return result;
  }
};

TEST_F(History, KeepsSoManyEventsOfEachUser) {
  options.history_size = 3;
  for (int i = 1; i <= 5; ++i) {
    publish("ann", std::to_string(i));
    publish("bob", "x");
  }
  EXPECT_THAT(kept("ann"), ElementsAre("3", "4", "5"));
  EXPECT_THAT(kept("bob"), SizeIs(3));
}

TEST_F(History, KeepsSoManyBytesOfEachUser) {
  options.history_bytes = 1'000;
  const std::string large(300, 'x');  // with its id and framing, three fit
  for (int i = 0; i < 10; ++i) publish("ann", large);
  EXPECT_THAT(kept("ann"), SizeIs(3));
  publish("ann", std::string(2'000, 'y'));  // one that does not fit alone is not kept, nor is what came before it
  EXPECT_THAT(kept("ann"), IsEmpty());
  publish("ann", "z");
  EXPECT_THAT(kept("ann"), ElementsAre("z"));
}

TEST_F(History, ASizeOfNoneKeepsNothingAndDeliversAll) {
  options.history_size = 0;
  FakeStream& stream = open("ann");
  stream.take();
  publish("ann", "1");
  broadcast("2");
  EXPECT_THAT(stream.take(), ElementsAre(event(1, "1"), event(2, "2")));
  EXPECT_THAT(kept("ann"), IsEmpty());
  EXPECT_EQ(budget().history_bytes(), 0U);
}

TEST_F(History, BroadcastsAreHeldToTheSameBounds) {
  options.history_size = 2;
  for (int i = 1; i <= 4; ++i) broadcast(std::to_string(i));
  EXPECT_THAT(kept("ann"), ElementsAre("3", "4"));
  options.history_bytes = 1'000;
}

TEST_F(History, BroadcastsAreHeldToTheirBytes) {
  options.history_bytes = 1'000;
  for (int i = 1; i <= 10; ++i) broadcast(std::string(300, 'x'));
  EXPECT_THAT(kept("ann"), SizeIs(3));
}

TEST_F(History, NothingIsKeptLongerThanItsTime) {
  publish("ann", "1");
  broadcast("all");
  now += options.history_ttl / 2;
  publish("ann", "2");
  now += options.history_ttl / 2 - milliseconds(1);
  hub().sweep();
  EXPECT_THAT(kept("ann"), ElementsAre("1", "all", "2"));
  now += milliseconds(1);
  hub().sweep();
  EXPECT_THAT(kept("ann"), ElementsAre("2"));
  now += options.history_ttl / 2;
  hub().sweep();
  EXPECT_THAT(kept("ann"), IsEmpty());
  EXPECT_EQ(budget().history_bytes(), 0U);
}

TEST_F(History, APublisherDropsSomeOfWhatHasExpiredInPassing) {
  for (int i = 0; i < 10; ++i) publish("ann", "old");
  const std::uint64_t full = budget().history_bytes();
  now += options.history_ttl;
  publish("ann", "new");
  EXPECT_LT(budget().history_bytes(), full);
  for (int i = 0; i < 9; ++i) publish("ann", "new");
  EXPECT_THAT(kept("ann"), SizeIs(10));
}

TEST_F(History, ALargeExpiryIsSweptAtOnce) {
  for (int i = 0; i < 1'000; ++i) publish("ann", "x");
  options.history_size = 1'000;
  now += options.history_ttl;
  hub().sweep();
  EXPECT_EQ(budget().history_bytes(), 0U);
  EXPECT_EQ(hub().stats().users, 0U);
}

TEST_F(History, AUserWithNeitherStreamsNorEventsIsForgotten) {
  EXPECT_EQ(hub().stats().users, 0U);
  FakeStream& stream = open("ann");
  EXPECT_EQ(hub().stats().users, 1U);
  publish("bob", "x");
  EXPECT_EQ(hub().stats().users, 2U);
  EXPECT_TRUE(hub().detach(stream, End::kClient));
  stream.flushed = Flushed::kEnded;
  EXPECT_EQ(hub().stats().users, 1U);
  now += options.history_ttl;
  hub().sweep();
  EXPECT_EQ(hub().stats().users, 0U);
}

TEST_F(History, ASweepKeepsUsersWithStreams) {
  FakeStream& stream = open("ann");
  publish("ann", "1");
  now += options.history_ttl;
  hub().sweep();
  EXPECT_EQ(hub().stats().users, 1U);
  publish("ann", "2");
  EXPECT_THAT(stream.take(), ElementsAre(opened(0), event(1, "1"), event(2, "2")));
}

TEST_F(History, AllUsersTogetherAreHeldToTheMemoryAndTheOldestGoFirst) {
  limits.history_bytes = 20'000;
  std::uint64_t most = 0;
  for (int i = 0; i < 1'000; ++i) {
    now += milliseconds(1);
    publish(fmt::format("user{}", i % 50), fmt::format("{}{}", i, std::string(50, '.')));
    if (i % 10 == 0) broadcast("all");
    most = std::max(most, budget().history_bytes());
    ASSERT_LE(budget().history_bytes(), limits.history_bytes);
  }
  EXPECT_GT(most, limits.history_bytes * 9 / 10) << "what may be kept is kept";
  // Of each user the newest is kept, and the older ones are gone.
  std::size_t events = 0;
  for (int user = 0; user < 50; ++user) {
    auto own = kept(fmt::format("user{}", user));
    std::erase(own, "all");
    ASSERT_FALSE(own.empty()) << user;
    EXPECT_TRUE(own.back().starts_with(std::to_string(950 + user))) << own.back();
    events += own.size();
  }
  EXPECT_LT(events, 200U);
}

TEST_F(History, SeveralHubsShareTheMemory) {
  limits.history_bytes = 10'000;
  Hub::Options others = options;
  others.epoch = "f";
  others.clock = [this] { return now; };
  Hub second(others, budget());
  for (int i = 0; i < 30; ++i) {
    now += milliseconds(1);
    publish("ann", std::string(100, 'x'));
  }
  for (int i = 0; i < 100; ++i) {  // the second one's events push the first one's out, which are older
    now += milliseconds(1);
    static_cast<void>(second.publish("ann", draft(std::string(100, 'y'))));
    ASSERT_LE(budget().history_bytes(), limits.history_bytes);
  }
  EXPECT_THAT(kept("ann"), IsEmpty());
}

TEST_F(History, EventsOfOneMomentAreTrimmedToo) {
  limits.history_bytes = 5'000;
  for (int i = 0; i < 200; ++i) {  // the clock stands still
    publish(fmt::format("user{}", i), std::string(100, 'x'));
    ASSERT_LE(budget().history_bytes(), limits.history_bytes);
  }
}

TEST_F(History, AnEventThatIsDroppedStaysWithTheStreamsThatStillSendIt) {
  options.history_size = 1;
  FakeStream& stream = open_full("ann");
  for (int i = 1; i <= 20; ++i) publish("ann", std::to_string(i));
  make_room(stream);
  const auto blocks = stream.take();
  ASSERT_EQ(blocks.size(), 20U);
  for (std::uint64_t i = 1; i <= 20; ++i) EXPECT_EQ(blocks[i - 1], event(i, std::to_string(i)));
}

/// Whoever publishes when it is full waits for what is dropped just then.
TEST_F(History, AFullHistoryDropsLittleAtOnce) {
  constexpr std::uint64_t kAtOnceMax = 64 * 1024;
  limits.history_bytes = 8 * 1024 * 1024;
  options.history_size = 1'000'000;
  options.history_bytes = 1 << 30;
  const std::string kilobyte(1'000, 'x');
  while (budget().history_bytes() + 2'000 < limits.history_bytes) publish("ann", kilobyte);
  for (int i = 0; i < 1'000; ++i) {
    publish(i % 2 == 0 ? "ann" : "bob", kilobyte);
    ASSERT_LE(budget().history_bytes(), limits.history_bytes);
    ASSERT_GE(budget().history_bytes(), limits.history_bytes - kAtOnceMax - 2'000);
  }
}

}  // namespace
}  // namespace rillgate::hub::test
