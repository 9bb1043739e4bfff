// Timers by the ten thousand: starting, moving and stopping one is constant work and no allocation.
//
// They are for time-outs and keep-alives, so a timer may fire up to one tick late, never early.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/list.h"

namespace rillgate::io {

using Time = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

struct InWheel;

/// Derive from it, or hold one. It must not die while TimerWheel::advance is about to call it; a timer that is stopped
/// or destroyed by another one's on_time is not called.
class Timer : public ListHook<InWheel> {
 public:
  virtual void on_time(Time now) = 0;

 protected:
  ~Timer() = default;

 private:
  friend class TimerWheel;
  Time due_{};
};

/// One thread's timers, hashed by their time into slots. A timer that is due later than one turn of the wheel stays in
/// its slot for another turn.
class TimerWheel {
 public:
  static constexpr milliseconds kTick{16};

  explicit TimerWheel(Time now) : tick_(tick_of(now)) {}

  /// (Re)starts the timer. Moving it to a later time only notes the time: it is put into its new slot when the old slot
  /// comes round, so a connection may put off its time-out with each request at no cost.
  void start(Timer& timer, Time due);
  static void stop(Timer& timer) { timer.unlink(); }

  /// Calls the timers that are due.
  void advance(Time now);
  /// When advance should be called next; Time::max() when no timer runs. May be early, since a timer may have been
  /// stopped or moved meanwhile.
  [[nodiscard]] Time next_due() const { return earliest_ == kNever ? Time::max() : Time(earliest_ * kTick); }

 private:
  static constexpr std::size_t kSlots = 1024;  // one turn is 16 s: the keep-alive's period fits into one
  static constexpr std::int64_t kNever = INT64_MAX;
  static std::int64_t tick_of(Time time) { return time.time_since_epoch() / kTick; }
  void link(Timer& timer);
  [[nodiscard]] std::int64_t find_earliest() const;

  std::array<List<Timer, InWheel>, kSlots> slots_;
  std::int64_t tick_;               // up to here all is done
  std::int64_t earliest_ = kNever;  // no slot before this tick holds a timer
};

}  // namespace rillgate::io
