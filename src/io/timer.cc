#include "io/timer.h"

#include <algorithm>

namespace rillgate::io {

void TimerWheel::link(Timer& timer) {
  // Never into the slot that is being worked on: it would be found again in this very round.
  const std::int64_t tick = std::max(tick_of(timer.due_) + 1, tick_ + 1);
  slots_[static_cast<std::size_t>(tick) % kSlots].push_back(timer);
  // A timer for a later turn is met in this one already.
  earliest_ = std::min(earliest_, tick_ + 1 + (tick - tick_ - 1) % static_cast<std::int64_t>(kSlots));
}

void TimerWheel::start(Timer& timer, Time due) {
  const bool waits_for_earlier = timer.linked() && timer.due_ <= due;
  timer.due_ = due;
  if (waits_for_earlier) return;
  timer.unlink();
  link(timer);
}

void TimerWheel::advance(Time now) {
  const std::int64_t last = tick_of(now);
  if (last < earliest_) {
    tick_ = last;
    return;
  }
  // After a long sleep one turn meets every timer.
  tick_ = std::max(tick_, last - static_cast<std::int64_t>(kSlots));
  while (tick_ < last) {
    ++tick_;
    List<Timer, InWheel> due;
    due.splice_back(slots_[static_cast<std::size_t>(tick_) % kSlots]);
    while (!due.empty()) {
      Timer& timer = due.pop_front();
      if (timer.due_ <= now) {
        timer.on_time(now);
      } else {
        link(timer);
      }
    }
  }
  earliest_ = find_earliest();
}

std::int64_t TimerWheel::find_earliest() const {
  for (std::int64_t tick = tick_ + 1; tick <= tick_ + static_cast<std::int64_t>(kSlots); ++tick) {
    if (!slots_[static_cast<std::size_t>(tick) % kSlots].empty()) return tick;
  }
  return kNever;
}

}  // namespace rillgate::io
