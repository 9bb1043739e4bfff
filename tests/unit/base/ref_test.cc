#include "base/ref.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

namespace rillgate {
namespace {

class Counted {
 public:
  explicit Counted(int& alive) : alive_(alive) { ++alive_; }
  Counted(const Counted&) = delete;
  void retain() const noexcept { holders_.fetch_add(1, std::memory_order_relaxed); }
  void release() const noexcept {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  [[nodiscard]] int holders() const { return holders_; }

 private:
  ~Counted() { --alive_; }
  int& alive_;
  mutable std::atomic<int> holders_{1};
};

TEST(Ref, AdoptsTheCountThatItsMakerHeld) {
  int alive = 0;
  {
    const auto ref = Ref<Counted>::adopt(new Counted(alive));
    EXPECT_EQ(ref->holders(), 1);
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Ref, CopiesShareAndTheLastOneDestroys) {
  int alive = 0;
  auto first = Ref<Counted>::adopt(new Counted(alive));
  auto second = first;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is tested
  EXPECT_EQ(first.get(), second.get());
  EXPECT_EQ(first->holders(), 2);
  first = {};
  EXPECT_FALSE(first);
  EXPECT_EQ(alive, 1);
  second = {};
  EXPECT_EQ(alive, 0);
}

TEST(Ref, MovingHandsTheCountOver) {
  int alive = 0;
  auto first = Ref<Counted>::adopt(new Counted(alive));
  auto second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that it is empty is promised
  EXPECT_EQ(second->holders(), 1);
  first = std::move(second);
  EXPECT_EQ(first->holders(), 1);
}

TEST(Ref, AssignmentLetsTheOldObjectGoAndBearsItself) {
  int alive = 0;
  auto first = Ref<Counted>::adopt(new Counted(alive));
  const auto other = Ref<Counted>::adopt(new Counted(alive));
  first = other;
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(other->holders(), 2);
  auto& same = first;
  first = same;
  EXPECT_EQ(other->holders(), 2);
}

TEST(Ref, ManyThreadsMayHoldAndDropTheSameObject) {
  int alive = 0;
  {
    const auto shared = Ref<Counted>::adopt(new Counted(alive));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([mine = shared] {
        for (int step = 0; step < 10'000; ++step) {
          const auto copy = mine;  // NOLINT(performance-unnecessary-copy-initialization): counted up and down
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    EXPECT_EQ(shared->holders(), 1);
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace rillgate
