// What all hubs of a process may hold together. Each limit stops one way in which memory could grow without end.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace rillgate::hub {

class FlushList;
class Hub;

/// Any thread. Outlives its hubs, which join while the process starts, before there is a second thread.
class Budget {
 public:
  struct Limits {
    std::uint64_t queued_bytes;   // waiting behind full transports, all streams together
    std::uint64_t history_bytes;  // kept events, all users together
    std::uint64_t streams;        // open streams
  };
  explicit Budget(const Limits& limits) : limits_(limits) {}

  [[nodiscard]] std::uint64_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t history_bytes() const { return history_bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t streams() const { return streams_.load(std::memory_order_relaxed); }

 private:
  friend class Hub;

  [[nodiscard]] bool has_room_in_queues(std::uint64_t bytes) const {
    return queued_bytes() + bytes <= limits_.queued_bytes;
  }
  [[nodiscard]] bool reserve_queued(std::uint64_t bytes) { return reserve(queued_bytes_, bytes, limits_.queued_bytes); }
  void release_queued(std::uint64_t bytes) { queued_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] bool reserve_stream() { return reserve(streams_, 1, limits_.streams); }
  void release_stream() { streams_.fetch_sub(1, std::memory_order_relaxed); }

  /// Ends blocked streams that have more than `floor` waiting, the one with most first, until `bytes` more may wait.
  /// False: there is no such stream left, and still no room. No lock of a hub is held by the caller. The ended streams
  /// are added to `ended`.
  bool make_room_in_queues(std::uint64_t bytes, std::uint64_t floor, FlushList& ended);
  /// Drops the oldest kept events of all hubs until the history fits its limit. No lock of a hub is held by the caller.
  void trim_history();

  static bool reserve(std::atomic<std::uint64_t>& used, std::uint64_t wanted, std::uint64_t limit) {
    std::uint64_t before = used.load(std::memory_order_relaxed);
    do {
      if (before + wanted > limit) return false;
    } while (!used.compare_exchange_weak(before, before + wanted, std::memory_order_relaxed));
    return true;
  }

  const Limits limits_;
  std::vector<Hub*> hubs_;
  std::atomic<std::uint64_t> queued_bytes_{0};
  std::atomic<std::uint64_t> history_bytes_{0};
  std::atomic<std::uint64_t> streams_{0};
};

}  // namespace rillgate::hub
