#include "base/counter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace rillgate {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

void on_threads(int count, const auto& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
}

TEST(Counter, AddsUpWhatAllThreadsCounted) {
  Counter counter;
  EXPECT_EQ(counter.value(), 0U);
  on_threads(2 * static_cast<int>(kCounterShards), [&] {
    for (int i = 0; i < 1'000; ++i) counter.add();
    counter.add(500);
  });
  EXPECT_EQ(counter.value(), 2 * kCounterShards * 1'500);
}

TEST(Counter, AThreadKeepsItsShard) {
  on_threads(4, [] {
    const std::size_t shard = counter_shard();
    EXPECT_LT(shard, kCounterShards);
    EXPECT_EQ(counter_shard(), shard);
  });
}

std::size_t bucket_of(nanoseconds duration) {
  DurationHistogram histogram;
  histogram.record(duration);
  const auto snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.count, 1U);
  std::size_t index = 0;
  while (snapshot.buckets[index] == 0) ++index;
  return index;
}

TEST(DurationHistogram, EachBucketEndsWhereTheNextOneBegins) {
  EXPECT_DOUBLE_EQ(DurationHistogram::upper_bound_seconds(0), 16e-6);
  EXPECT_DOUBLE_EQ(DurationHistogram::upper_bound_seconds(1), 32e-6);
  EXPECT_EQ(bucket_of(nanoseconds(0)), 0U);
  EXPECT_EQ(bucket_of(nanoseconds(-5)), 0U);  // a clock that was read in another order
  for (std::size_t index = 0; index < DurationHistogram::kBuckets; ++index) {
    const microseconds bound(std::int64_t{16} << index);
    EXPECT_EQ(bucket_of(bound - nanoseconds(1)), index);
    EXPECT_EQ(bucket_of(bound + microseconds(1)), index + 1);
  }
  EXPECT_EQ(bucket_of(std::chrono::hours(24 * 365)), DurationHistogram::kBuckets);
}

TEST(DurationHistogram, SumsAndCountsWhatAllThreadsRecorded) {
  DurationHistogram histogram;
  on_threads(4, [&] {
    for (int i = 0; i < 1'000; ++i) histogram.record(microseconds(20));
    histogram.record(nanoseconds(-1));
  });
  const auto snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.count, 4'004U);
  EXPECT_EQ(std::accumulate(snapshot.buckets.begin(), snapshot.buckets.end(), std::uint64_t{0}), 4'004U);
  EXPECT_EQ(snapshot.buckets[1], 4'000U);
  EXPECT_NEAR(snapshot.sum_seconds, 4'000 * 20e-6, 1e-9);
}

}  // namespace
}  // namespace rillgate
