// Counters for hot paths. Each thread counts in a cache line of its own, so that counting never makes two cores fight
// over one; whoever reads adds the lines up. Prometheus' own counters cost about a hundred times as much per step.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rillgate {

inline constexpr std::size_t kCounterShards = 8;

/// A small number that differs between the first kCounterShards threads; later threads share.
inline std::size_t counter_shard() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t shard = threads.fetch_add(1, std::memory_order_relaxed) % kCounterShards;
  return shard;
}

/// Only grows. Any thread.
class Counter {
 public:
  void add(std::uint64_t n = 1) { shards_[counter_shard()].value.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const {
    std::uint64_t sum = 0;
    for (const Shard& shard : shards_) sum += shard.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  struct alignas(64) Shard {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Shard, kCounterShards> shards_;
};

/// How long something took, in buckets that double from 16 µs to 16 s. Any thread.
class DurationHistogram {
 public:
  static constexpr std::size_t kBuckets = 21;
  /// The upper bound of bucket `index`, in seconds; the last bucket has none.
  static constexpr double upper_bound_seconds(std::size_t index) {
    return static_cast<double>(std::uint64_t{16} << index) / 1e6;
  }

  void record(std::chrono::nanoseconds duration) {
    const auto micros = static_cast<std::uint64_t>(duration.count() > 0 ? duration.count() / 1000 : 0);
    const std::size_t index = micros < 16 ? 0 : static_cast<std::size_t>(std::bit_width(micros) - 4);
    Shard& shard = shards_[counter_shard()];
    shard.buckets[index < kBuckets ? index : kBuckets].fetch_add(1, std::memory_order_relaxed);
    shard.sum_ns.fetch_add(static_cast<std::uint64_t>(duration.count() > 0 ? duration.count() : 0),
                           std::memory_order_relaxed);
  }

  struct Snapshot {
    std::array<std::uint64_t, kBuckets + 1> buckets{};  // not cumulative; the last one is "more than all bounds"
    std::uint64_t count = 0;
    double sum_seconds = 0;
  };
  [[nodiscard]] Snapshot snapshot() const {
    Snapshot result;
    for (const Shard& shard : shards_) {
      for (std::size_t i = 0; i <= kBuckets; ++i) {
        const std::uint64_t n = shard.buckets[i].load(std::memory_order_relaxed);
        result.buckets[i] += n;
        result.count += n;
      }
      result.sum_seconds += static_cast<double>(shard.sum_ns.load(std::memory_order_relaxed)) / 1e9;
    }
    return result;
  }

 private:
  struct alignas(64) Shard {
    std::array<std::atomic<std::uint64_t>, kBuckets + 1> buckets{};
    std::atomic<std::uint64_t> sum_ns{0};
  };
  std::array<Shard, kCounterShards> shards_;
};

}  // namespace rillgate
