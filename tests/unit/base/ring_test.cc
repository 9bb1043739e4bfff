#include "base/ring.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <memory>
#include <vector>

namespace rillgate {
namespace {

void expect_equal(const Ring<int>& ring, const std::deque<int>& model) {
  RC_ASSERT(ring.size() == model.size());
  RC_ASSERT(ring.empty() == model.empty());
  for (std::size_t i = 0; i < model.size(); ++i) RC_ASSERT(ring[i] == model[i]);
  if (model.empty()) return;
  RC_ASSERT(ring.front() == model.front());
  RC_ASSERT(ring.back() == model.back());
}

// Long runs of one kind, so that the ring grows, wraps round and shrinks.
RC_GTEST_PROP(Ring, BehavesLikeADeque, ()) {
  Ring<int> ring;
  std::deque<int> model;
  const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(-60, 60));
  int next = 0;
  for (const int step : steps) {
    for (int i = 0; i < step; ++i) {
      ring.push_back(next);
      model.push_back(next++);
    }
    for (int i = step; i < 0 && !model.empty(); ++i) {
      RC_ASSERT(ring.pop_front() == model.front());
      model.pop_front();
    }
    if (step == 0) {
      ring.clear();
      model.clear();
    }
    expect_equal(ring, model);
  }
}

TEST(Ring, HasNoMemoryBeforeItHoldsAnythingNorOnceItIsEmptyAgain) {
  Ring<int> ring;
  EXPECT_EQ(ring.memory_bytes(), 0U);
  for (int i = 0; i < 1'000; ++i) ring.push_back(i);
  while (!ring.empty()) ring.pop_front();
  EXPECT_EQ(ring.memory_bytes(), 0U);
  ring.push_back(1);
  ring.clear();
  EXPECT_EQ(ring.memory_bytes(), 0U);
  EXPECT_TRUE(ring.empty());
}

TEST(Ring, GivesTheMemoryOfABurstBack) {
  Ring<int> ring;
  for (int i = 0; i < 100'000; ++i) ring.push_back(i);
  while (ring.size() > 10) ring.pop_front();
  EXPECT_LE(ring.memory_bytes(), 64 * sizeof(int));
  EXPECT_EQ(ring.front(), 99'990);
}

TEST(Ring, ASteadyQueueStaysInASmallBlock) {
  Ring<int> ring;
  for (int i = 0; i < 10'000; ++i) {
    ring.push_back(i);
    if (ring.size() > 3) {
      EXPECT_EQ(ring.pop_front(), i - 3);
    }
  }
  EXPECT_LE(ring.memory_bytes(), 8 * sizeof(int));
}

TEST(Ring, APoppedSlotHoldsOnToNothing) {
  Ring<std::shared_ptr<int>> ring;
  const auto value = std::make_shared<int>(1);
  for (int i = 0; i < 6; ++i) ring.push_back(value);
  for (int left = 5; left > 0; --left) {
    ring.pop_front();
    EXPECT_EQ(value.use_count(), 1 + left);
  }
}

TEST(Ring, TakesWhatCanOnlyBeMoved) {
  Ring<std::unique_ptr<int>> ring;
  for (int i = 0; i < 20; ++i) ring.push_back(std::make_unique<int>(i));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(*ring.pop_front(), i);
}

}  // namespace
}  // namespace rillgate
