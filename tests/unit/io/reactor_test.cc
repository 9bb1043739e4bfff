#include "io/reactor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace rillgate::io {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Ends a reactor whose test would wait for ever.
class Deadline final : public Timer {
 public:
  explicit Deadline(Reactor& reactor) : reactor_(reactor) { reactor.start(*this, reactor.now() + seconds(30)); }
  void on_time(Time) override {
    ADD_FAILURE() << "what the test waits for did not come";
    reactor_.stop();
  }

 private:
  Reactor& reactor_;
};

struct Letter final : MailItem {
  void on_mail() override { reader(*this); }
  std::function<void(Letter&)> reader;
  int sender = 0;
  int number = 0;
};

TEST(Reactor, MailOfSeveralThreadsArrivesOnceAndInTheOrderOfEachSender) {
  constexpr int kSenders = 3;
  constexpr int kLetters = 5'000;
  Reactor reactor;
  const Deadline deadline(reactor);
  std::vector<std::vector<int>> received(kSenders);
  int left = kSenders * kLetters;
  std::vector<std::vector<Letter>> letters(kSenders);
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    auto& mine = letters[static_cast<std::size_t>(sender)];
    mine = std::vector<Letter>(kLetters);
    for (int number = 0; number < kLetters; ++number) {
      Letter& letter = mine[static_cast<std::size_t>(number)];
      letter.sender = sender;
      letter.number = number;
      letter.reader = [&](const Letter& read) {
        EXPECT_TRUE(reactor.on_this_thread());
        received[static_cast<std::size_t>(read.sender)].push_back(read.number);
        if (--left == 0) reactor.stop();
      };
    }
    senders.emplace_back([&mine, &reactor, sender] {
      std::size_t next = 0;
      while (next < mine.size()) {
        MailChain chain;  // of one to four letters
        for (std::size_t i = 0; i < 1 + (next + static_cast<std::size_t>(sender)) % 4 && next < mine.size(); ++i) {
          chain.add(mine[next++]);
        }
        reactor.send(chain);
      }
    });
  }
  reactor.run();
  for (std::thread& sender : senders) sender.join();
  for (const auto& numbers : received) {
    ASSERT_EQ(numbers.size(), static_cast<std::size_t>(kLetters));
    for (int i = 0; i < kLetters; ++i) ASSERT_EQ(numbers[static_cast<std::size_t>(i)], i);
  }
}

TEST(Reactor, TasksOfSeveralThreadsRunOnceAndInTheOrderOfEachSender) {
  constexpr int kSenders = 3;
  constexpr int kTasks = 5'000;
  Reactor reactor;
  const Deadline deadline(reactor);
  std::vector<int> next(kSenders, 0);
  int left = kSenders * kTasks;
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&, sender] {
      for (int number = 0; number < kTasks; ++number) {
        reactor.post([&, sender, number] {
          EXPECT_EQ(next[static_cast<std::size_t>(sender)]++, number);
          if (--left == 0) reactor.stop();
        });
      }
    });
  }
  reactor.run();
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(left, 0);
}

TEST(Reactor, ALetterToOneselfArrivesThoughNothingElseHappens) {
  Reactor reactor;
  const Deadline deadline(reactor);
  Letter letter;
  letter.reader = [&](Letter& self) {
    if (++self.number == 100) {
      reactor.stop();
      return;
    }
    MailChain again;  // the letter has been taken out, so it can be sent once more
    again.add(self);
    reactor.send(again);
  };
  MailChain chain;
  chain.add(letter);
  reactor.send(chain);
  reactor.run();
  EXPECT_EQ(letter.number, 100);
}

TEST(Reactor, AnEmptyChainIsNothing) {
  Reactor reactor;
  MailChain chain;
  EXPECT_TRUE(chain.empty());
  reactor.send(chain);
  reactor.post([&] { reactor.stop(); });
  reactor.run();
}

TEST(Reactor, ATaskMayPostAnother) {
  Reactor reactor;
  const Deadline deadline(reactor);
  std::vector<int> order;
  reactor.post([&] {
    order.push_back(1);
    reactor.post([&] {
      order.push_back(3);
      reactor.stop();
    });
    order.push_back(2);
  });
  reactor.run();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(Reactor, TasksLeftAtTheEndAreDestroyedWithoutBeingRun) {
  const auto held = std::make_shared<int>(0);
  {
    Reactor reactor;
    reactor.stop();
    reactor.run();
    reactor.post([held] { ++*held; });
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(*held, 0);
}

TEST(Reactor, StopFromAnotherThreadWakesALoopThatSleeps) {
  Reactor reactor;
  std::thread runner([&] { reactor.run(); });
  std::atomic<bool> runs{false};
  reactor.post([&] { runs = true; });
  while (!runs) std::this_thread::yield();
  reactor.stop();
  runner.join();
}

TEST(Reactor, WhatIsLeftForTheEndOfTheRoundRunsWhenAllOfItHaveBeenTold) {
  Reactor reactor;
  const Deadline deadline(reactor);
  std::vector<std::string> order;
  Letter letter;
  letter.reader = [&](Letter&) { order.emplace_back("mail"); };
  reactor.post([&] {
    reactor.at_end_of_round([&] {
      order.emplace_back("end");
      reactor.stop();
    });
    order.emplace_back("task");
  });
  MailChain chain;
  chain.add(letter);
  reactor.send(chain);
  reactor.run();
  EXPECT_THAT(order, ElementsAre("task", "mail", "end"));
}

// Each adds another one, so what holds the tasks grows, and moves, while one of them runs.
TEST(Reactor, ATaskOfTheRoundsEndMayAddAnotherAndGoOn) {
  constexpr int kTasks = 20;
  Reactor reactor;
  std::vector<int> order;
  struct Adder {
    Reactor& reactor;
    std::vector<int>& order;
    void add(int number) {
      reactor.at_end_of_round([this, number] {
        if (number < kTasks) add(number + 1);
        order.push_back(number);
      });
    }
  } adder{reactor, order};
  reactor.post([&] {
    adder.add(1);
    reactor.stop();
  });
  reactor.run();
  ASSERT_EQ(order.size(), static_cast<std::size_t>(kTasks));
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], static_cast<int>(i) + 1);
}

TEST(Reactor, ATimerIsCalledInTimeThoughNothingElseHappens) {
  struct Alarm final : Timer {
    explicit Alarm(Reactor& its_reactor) : reactor(its_reactor) {}
    void on_time(Time now) override {
      called = now;
      reactor.stop();
    }
    Reactor& reactor;
    Time called{};
  };
  Reactor reactor;
  const Deadline deadline(reactor);
  Alarm alarm(reactor);
  const Time due = std::chrono::steady_clock::now() + milliseconds(30);
  reactor.start(alarm, due);
  reactor.run();
  EXPECT_GE(alarm.called, due);
  EXPECT_EQ(alarm.called, reactor.now());
}

TEST(Reactor, KnowsItsOwnThread) {
  Reactor reactor;
  EXPECT_FALSE(reactor.on_this_thread());
  bool inside = false;
  reactor.post([&] {
    inside = reactor.on_this_thread();
    reactor.stop();
  });
  std::thread runner([&] { reactor.run(); });
  runner.join();
  EXPECT_TRUE(inside);
  EXPECT_FALSE(reactor.on_this_thread());
}

TEST(Reactor, TheScratchBlockIsTheSameForAll) {
  Reactor reactor;
  EXPECT_GE(reactor.scratch().size(), 16U * 1024);
  EXPECT_EQ(reactor.scratch().data(), reactor.scratch().data());
}

}  // namespace
}  // namespace rillgate::io
