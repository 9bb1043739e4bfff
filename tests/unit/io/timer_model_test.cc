// The wheel against a model too simple to be wrong: a list of who waits for what.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "io/timer.h"

namespace rillgate::io {
namespace {

using std::chrono::microseconds;

constexpr std::size_t kTimers = 6;

/// What is done to a timer; also what a timer does to another one when its time comes.
struct Deed {
  enum class Kind : std::uint8_t { kStart, kStop, kDestroy, kNothing };
  Kind kind;
  std::size_t timer;
  microseconds delay;  // negative: a time that has passed
};

rc::Gen<microseconds> delays() {
  // Within a tick, within a turn, and over several turns.
  return rc::gen::map(rc::gen::oneOf(rc::gen::inRange(-20'000, 40'000), rc::gen::inRange(0, 17'000'000),
                                     rc::gen::inRange(16'000'000, 60'000'000)),
                      [](int count) { return microseconds(count); });
}

rc::Gen<Deed> deeds() {
  using enum Deed::Kind;
  return rc::gen::build<Deed>(
      rc::gen::set(&Deed::kind, rc::gen::element(kStart, kStart, kStart, kStop, kDestroy, kNothing)),
      rc::gen::set(&Deed::timer, rc::gen::inRange<std::size_t>(0, kTimers)), rc::gen::set(&Deed::delay, delays()));
}

class World {
 public:
  void run(const std::vector<Deed>& deeds, const std::vector<microseconds>& pauses) {
    for (std::size_t i = 0; i < deeds.size(); ++i) {
      apply(deeds[i]);
      check_next_due();
      if (i < pauses.size() && pauses[i].count() > 0) {
        advance(now_ + pauses[i]);
      } else if (wheel_.next_due() != Time::max()) {
        advance(std::max(now_, wheel_.next_due()));
      }
    }
    for (Entry& entry : entries_) entry.on_call = {Deed::Kind::kNothing, 0, {}};
    for (int round = 0; round < 100'000 && wheel_.next_due() != Time::max(); ++round) advance(wheel_.next_due());
    for (const Entry& entry : entries_) RC_ASSERT(!entry.due);
  }
  void set_action(std::size_t timer, const Deed& deed) { entries_[timer].on_call = deed; }

 private:
  struct Alarm final : Timer {
    Alarm(World& its_world, std::size_t its_index) : world(its_world), index(its_index) {}
    void on_time(Time now) override { world.called(index, now); }
    World& world;
    std::size_t index;
  };
  struct Entry {
    std::unique_ptr<Alarm> alarm;
    std::optional<Time> due;  // nothing: it does not run
    Time must_run_from{};     // the later one of its time and of when it was started
    Deed on_call{Deed::Kind::kNothing, 0, {}};
  };

  void apply(const Deed& deed) {
    Entry& entry = entries_[deed.timer];
    switch (deed.kind) {
      case Deed::Kind::kStart:
        if (!entry.alarm) entry.alarm = std::make_unique<Alarm>(*this, deed.timer);
        entry.due = now_ + deed.delay;
        entry.must_run_from = std::max(*entry.due, now_);
        wheel_.start(*entry.alarm, *entry.due);
        return;
      case Deed::Kind::kStop:
        if (entry.alarm) TimerWheel::stop(*entry.alarm);
        entry.due.reset();
        return;
      case Deed::Kind::kDestroy:
        if (deed.timer == calling_) return;  // not while it is being called
        entry.alarm.reset();
        entry.due.reset();
        return;
      case Deed::Kind::kNothing:
        return;
    }
  }

  void called(std::size_t index, Time now) {
    Entry& entry = entries_[index];
    RC_ASSERT(now == now_);
    RC_ASSERT(entry.due.has_value());  // neither stopped nor called before
    RC_ASSERT(*entry.due <= now);      // never early
    entry.due.reset();
    calling_ = index;
    apply(entry.on_call);
    calling_ = kTimers;
  }

  void advance(Time to) {
    now_ = to;
    wheel_.advance(now_);
    for (const Entry& entry : entries_) {
      if (entry.due) RC_ASSERT(entry.must_run_from + TimerWheel::kTick > now_);  // at most one tick late
    }
    check_next_due();
  }

  void check_next_due() {
    for (const Entry& entry : entries_) {
      if (entry.due) RC_ASSERT(wheel_.next_due() <= entry.must_run_from + TimerWheel::kTick);
    }
  }

  Time now_{std::chrono::hours(100) + microseconds(4'711)};
  TimerWheel wheel_{now_};
  std::size_t calling_ = kTimers;
  std::array<Entry, kTimers> entries_;
};

RC_GTEST_PROP(TimerWheelModel, CallsWhatTheModelCalls, ()) {
  World world;
  for (std::size_t i = 0; i < kTimers; ++i) {
    if (*rc::gen::inRange(0, 3) == 0) world.set_action(i, *deeds());
  }
  const auto steps = *rc::gen::container<std::vector<Deed>>(deeds());
  const auto pauses = *rc::gen::container<std::vector<microseconds>>(steps.size(), delays());
  world.run(steps, pauses);
}

}  // namespace
}  // namespace rillgate::io
