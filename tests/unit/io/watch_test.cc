#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "io/reactor.h"
#include "support/steps.h"

namespace rillgate::io {
namespace {

using test::run_steps;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Two ends of a connection: ours is watched.
struct Pair {
  Pair() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    ours = Fd(fds[0]);
    theirs = Fd(fds[1]);
  }
  void send(std::string_view bytes) const {
    EXPECT_EQ(::send(theirs.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  [[nodiscard]] std::string_view read(Reactor& reactor) const {
    const ssize_t got = ::recv(ours.get(), reactor.scratch().data(), reactor.scratch().size(), 0);
    return {reactor.scratch().data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }
  /// Until the kernel takes no more.
  void fill() const {
    constexpr std::array<char, 4096> kBlock{};
    while (::send(ours.get(), kBlock.data(), kBlock.size(), MSG_NOSIGNAL) > 0) {
    }
    EXPECT_EQ(errno, EAGAIN);
  }
  Fd ours;
  Fd theirs;
};

struct Recorder final : Watcher {
  void on_ready(Ready ready) override {
    told.push_back(ready);
    if (then) then();
  }
  /// What was told since the last question.
  std::vector<Ready> take() { return std::exchange(told, {}); }
  std::vector<Ready> told;
  std::function<void()> then;
};

TEST(Watching, TellsOnceOfEachChange) {
  Reactor reactor;
  const Pair pair;
  Recorder recorder;
  run_steps(reactor, {[&] { ASSERT_TRUE(reactor.watch(pair.ours.get(), recorder)); },
                      [&] {
                        const auto told = recorder.take();  // a new socket takes bytes
                        ASSERT_THAT(told, SizeIs(1));
                        EXPECT_TRUE(told[0].writable);
                        EXPECT_FALSE(told[0].readable || told[0].hung_up || told[0].broken);
                        pair.send("one");
                      },
                      [&] {
                        const auto told = recorder.take();
                        ASSERT_THAT(told, SizeIs(1));
                        EXPECT_TRUE(told[0].readable);
                        EXPECT_FALSE(told[0].hung_up || told[0].broken);
                      },
                      [&] {
                        EXPECT_THAT(recorder.take(), IsEmpty()) << "it was told already, though nothing was read";
                        pair.send("two");
                      },
                      [&] {
                        EXPECT_THAT(recorder.take(), SizeIs(1));
                        EXPECT_EQ(pair.read(reactor), "onetwo");
                      }});
}

TEST(Watching, TellsWhenAFullSocketTakesBytesAgain) {
  Reactor reactor;
  const Pair pair;
  Recorder recorder;
  run_steps(reactor, {[&] {
                        pair.fill();
                        ASSERT_TRUE(reactor.watch(pair.ours.get(), recorder));
                      },
                      [&] {
                        EXPECT_THAT(recorder.take(), IsEmpty());
                        std::array<char, 65536> block{};
                        while (::recv(pair.theirs.get(), block.data(), block.size(), 0) > 0) {
                        }
                      },
                      [&] {
                        const auto told = recorder.take();
                        ASSERT_FALSE(told.empty());
                        EXPECT_TRUE(told.back().writable);
                      }});
}

TEST(Watching, AnotherWatcherIsToldWhatIsReadyNow) {
  Reactor reactor;
  const Pair pair;
  Recorder first;
  Recorder second;
  run_steps(reactor, {[&] {
                        ASSERT_TRUE(reactor.watch(pair.ours.get(), first));
                        pair.send("bytes");
                      },
                      [&] {
                        EXPECT_THAT(first.take(), SizeIs(1));
                        reactor.rewatch(pair.ours.get(), second);
                      },
                      [&] {
                        EXPECT_THAT(first.take(), IsEmpty());
                        const auto told = second.take();
                        ASSERT_THAT(told, SizeIs(1));
                        EXPECT_TRUE(told[0].readable && told[0].writable);
                      }});
}

TEST(Watching, AHalfClosedPeerHasHungUpAndIsReadableButNotBroken) {
  Reactor reactor;
  const Pair pair;
  Recorder recorder;
  run_steps(reactor, {[&] { ASSERT_TRUE(reactor.watch(pair.ours.get(), recorder)); },
                      [&] {
                        recorder.take();
                        ::shutdown(pair.theirs.get(), SHUT_WR);
                      },
                      [&] {
                        const auto told = recorder.take();
                        ASSERT_THAT(told, SizeIs(1));
                        EXPECT_TRUE(told[0].hung_up && told[0].readable);
                        EXPECT_FALSE(told[0].broken);
                      }});
}

TEST(Watching, AConnectionThatIsGoneIsBroken) {
  Reactor reactor;
  Pair pair;
  Recorder recorder;
  run_steps(reactor, {[&] { ASSERT_TRUE(reactor.watch(pair.ours.get(), recorder)); },
                      [&] {
                        recorder.take();
                        pair.theirs = {};
                      },
                      [&] {
                        const auto told = recorder.take();
                        ASSERT_FALSE(told.empty());
                        EXPECT_TRUE(told.back().broken && told.back().hung_up && told.back().readable);
                      }});
}

TEST(Watching, WhatIsNotWatchedAnyMoreIsNotTold) {
  Reactor reactor;
  const Pair pair;
  Recorder recorder;
  run_steps(reactor, {[&] { ASSERT_TRUE(reactor.watch(pair.ours.get(), recorder)); },
                      [&] {
                        recorder.take();
                        reactor.unwatch(pair.ours.get());
                        pair.send("bytes");
                      },
                      [&] {
                        EXPECT_THAT(recorder.take(), IsEmpty());
                        EXPECT_TRUE(reactor.watch(pair.ours.get(), recorder)) << "it can be watched again";
                      },
                      [&] { EXPECT_THAT(recorder.take(), SizeIs(1)); }});
}

TEST(Watching, AListenerIsToldAgainUntilItHasTakenAll) {
  Reactor reactor;
  const Pair pair;
  Recorder recorder;
  run_steps(reactor, {[&] {
                        ASSERT_TRUE(reactor.watch_listener(pair.ours.get(), recorder));
                        pair.send("bytes");
                      },
                      [&] { EXPECT_THAT(recorder.take(), SizeIs(1)); },
                      [&] {
                        const auto told = recorder.take();
                        ASSERT_THAT(told, SizeIs(1));
                        EXPECT_TRUE(told[0].readable);
                        EXPECT_FALSE(told[0].writable);
                        EXPECT_EQ(pair.read(reactor), "bytes");
                      },
                      [&] { EXPECT_THAT(recorder.take(), IsEmpty()); }});
}

TEST(Watching, ABadDescriptorIsRefused) {
  Reactor reactor;
  Recorder recorder;
  EXPECT_FALSE(reactor.watch(-1, recorder));
  EXPECT_FALSE(reactor.watch_listener(-1, recorder));
}

// As a connection ends: closed where it was told, destroyed when nobody of this round can be told of it any more.
TEST(Watching, AWatcherMayHaveItselfDestroyedAtTheEndOfTheRound) {
  Reactor reactor;
  const Pair pair;
  auto recorder = std::make_unique<Recorder>();
  std::vector<bool> alive;
  recorder->then = [&] {
    reactor.unwatch(pair.ours.get());
    reactor.at_end_of_round([&] { recorder.reset(); });
  };
  run_steps(reactor, {[&] { ASSERT_TRUE(reactor.watch(pair.ours.get(), *recorder)); },
                      [&] { alive.push_back(recorder != nullptr); }, [&] { alive.push_back(recorder != nullptr); }});
  EXPECT_EQ(alive, (std::vector<bool>{true, false}));
}

TEST(Watching, MoreDescriptorsThanOneRoundTakesAreAllTold) {
  constexpr std::size_t kPairs = 300;
  Reactor reactor;
  const std::vector<Pair> pairs(kPairs);
  std::vector<Recorder> recorders(kPairs);
  std::size_t readable = 0;
  for (std::size_t i = 0; i < kPairs; ++i) {
    recorders[i].then = [&, i] {
      if (recorders[i].told.back().readable && ++readable == kPairs) reactor.stop();
    };
    ASSERT_TRUE(reactor.watch(pairs[i].ours.get(), recorders[i]));
    pairs[i].send("x");
  }
  reactor.run();
  for (const Recorder& recorder : recorders) EXPECT_THAT(recorder.told, SizeIs(1));
}

TEST(Watching, ThoseInterestedInInputAreNotToldOfRoom) {
  Reactor reactor;
  const Pair pair;
  Recorder recorder;
  run_steps(reactor, {[&] { ASSERT_TRUE(reactor.watch(pair.ours.get(), recorder, Reactor::Interest::kInput)); },
                      [&] {
                        EXPECT_THAT(recorder.take(), IsEmpty());
                        pair.send("x");
                      },
                      [&] {
                        const auto told = recorder.take();
                        ASSERT_THAT(told, SizeIs(1));
                        EXPECT_TRUE(told[0].readable);
                        reactor.rewatch(pair.ours.get(), recorder);
                      },
                      [&] {
                        const auto told = recorder.take();
                        ASSERT_THAT(told, SizeIs(1));
                        EXPECT_TRUE(told[0].writable);
                      }});
}

TEST(Watching, AListenerIsToldWhileMoreIsReadyThanOneRoundTakes) {
  constexpr std::size_t kPairs = 2'000;
  Reactor reactor;
  const std::vector<Pair> pairs(kPairs);
  Recorder recorder;
  for (const Pair& pair : pairs) {
    ASSERT_TRUE(reactor.watch(pair.ours.get(), recorder));
    pair.send("x");
  }
  // The last one to become ready.
  const Pair listening;
  Recorder listener;
  std::size_t told_before = 0;
  listener.then = [&] {
    if (listener.told.size() == 1) told_before = recorder.told.size();
    EXPECT_TRUE(listener.told.back().readable);
    reactor.stop();
  };
  ASSERT_TRUE(reactor.watch_listener(listening.ours.get(), listener));
  listening.send("x");
  reactor.run();
  EXPECT_LT(told_before, kPairs / 2);
}

TEST(Watching, AListenerThatIsNoLongerWatchedIsNotTold) {
  constexpr std::size_t kPairs = 2'000;
  Reactor reactor;
  const std::vector<Pair> pairs(kPairs);
  Recorder recorder;
  recorder.then = [&] {
    if (recorder.told.size() == kPairs) reactor.stop();
  };
  for (const Pair& pair : pairs) {
    ASSERT_TRUE(reactor.watch(pair.ours.get(), recorder));
    pair.send("x");
  }
  const Pair listening;
  Recorder listener;
  ASSERT_TRUE(reactor.watch_listener(listening.ours.get(), listener));
  reactor.unwatch_listener(listening.ours.get());
  listening.send("x");
  reactor.run();
  EXPECT_THAT(listener.told, IsEmpty());
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) != -1;
}

TEST(Fd, ClosesWhatItOwnsOnce) {
  Pair pair;
  const int ours = pair.ours.get();
  const int theirs = pair.theirs.get();
  {
    Fd first(std::move(pair.ours));
    EXPECT_FALSE(pair.ours);  // NOLINT(bugprone-use-after-move): that it is empty is promised
    EXPECT_EQ(first.get(), ours);
    first = std::move(pair.theirs);
    EXPECT_FALSE(is_open(ours));
    EXPECT_TRUE(is_open(theirs));
  }
  EXPECT_FALSE(is_open(theirs));
  Fd none;
  EXPECT_FALSE(none);
  none.close();
  EXPECT_TRUE(Fd(::dup(0)));
}

}  // namespace
}  // namespace rillgate::io
