// Durations by the million in 32 KiB: buckets that grow with the value, each 1/64 of it wide.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rillgate::bench {

class Histogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++buckets_[bucket_of(nanoseconds)];
    ++count_;
  }
  void clear() { *this = {}; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

  /// In milliseconds; 0 when nothing was added.
  [[nodiscard]] double quantile_ms(double share) const {
    if (count_ == 0) return 0;
    const auto wanted = std::min(count_ - 1, static_cast<std::uint64_t>(share * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    while ((seen += buckets_[bucket]) <= wanted) ++bucket;
    return static_cast<double>(lower_bound(bucket)) / 1e6;
  }

 private:
  static constexpr std::size_t kFineBits = 6;
  static constexpr std::size_t kFine = 1 << kFineBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < kFine) return value;
    const auto shift = static_cast<std::size_t>(std::bit_width(value)) - 1 - kFineBits;
    return (shift + 1) * kFine + (value >> shift) % kFine;
  }
  static std::uint64_t lower_bound(std::size_t bucket) {
    if (bucket < kFine) return bucket;
    const std::size_t shift = bucket / kFine - 1;
    return (kFine + bucket % kFine) << shift;
  }

  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(64 * kFine, 0);
  std::uint64_t count_ = 0;
};

}  // namespace rillgate::bench
