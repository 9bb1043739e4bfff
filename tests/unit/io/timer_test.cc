#include "io/timer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace rillgate::io {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr milliseconds kTurn{16 * 1024};
const Time kStart{hours(5) + microseconds(123'457)};

struct Alarm final : Timer {
  void on_time(Time now) override {
    calls.push_back(now);
    if (then) then();
  }
  std::vector<Time> calls;
  std::function<void()> then;
};

/// Goes from one time to the next that the wheel asks for, as a reactor does, until `end`.
void run_until(TimerWheel& wheel, Time end) {
  while (wheel.next_due() <= end) wheel.advance(wheel.next_due());
  wheel.advance(end);
}

TEST(TimerWheel, AsksForNothingWhenNothingRuns) {
  TimerWheel wheel(kStart);
  EXPECT_EQ(wheel.next_due(), Time::max());
  wheel.advance(kStart + hours(1));
  EXPECT_EQ(wheel.next_due(), Time::max());
}

TEST(TimerWheel, CallsOnceNeverEarlyAndAtMostOneTickLate) {
  for (const auto delay : {microseconds(0), microseconds(1), microseconds(15'999), microseconds(16'000),
                           microseconds(16'001), microseconds(1'000'000), microseconds(16'383'999),
                           microseconds(16'384'000), microseconds(75'000'000), microseconds(3'600'000'000)}) {
    TimerWheel wheel(kStart);
    Alarm alarm;
    const Time due = kStart + delay;
    wheel.start(alarm, due);
    EXPECT_LE(wheel.next_due(), due + TimerWheel::kTick);
    run_until(wheel, due - microseconds(1));
    EXPECT_EQ(alarm.calls.size(), 0U) << delay.count();
    run_until(wheel, due + TimerWheel::kTick);
    ASSERT_EQ(alarm.calls.size(), 1U) << delay.count();
    EXPECT_GE(alarm.calls[0], due) << delay.count();
    EXPECT_FALSE(alarm.linked());
    EXPECT_EQ(wheel.next_due(), Time::max());
    run_until(wheel, due + kTurn * 3);
    EXPECT_EQ(alarm.calls.size(), 1U) << delay.count();
  }
}

TEST(TimerWheel, ATimeThatHasPassedIsDueAtTheNextTick) {
  TimerWheel wheel(kStart);
  Alarm alarm;
  wheel.start(alarm, kStart - seconds(10));
  wheel.advance(kStart + TimerWheel::kTick);
  EXPECT_EQ(alarm.calls.size(), 1U);
}

TEST(TimerWheel, ATimerCanBePutOffAgainAndAgain) {
  TimerWheel wheel(kStart);
  Alarm alarm;
  Time now = kStart;
  for (int i = 0; i < 100; ++i) {
    wheel.start(alarm, now + seconds(1));
    now += milliseconds(900);
    run_until(wheel, now);
  }
  EXPECT_TRUE(alarm.calls.empty());
  run_until(wheel, now + milliseconds(100) + TimerWheel::kTick);
  EXPECT_EQ(alarm.calls.size(), 1U);
}

TEST(TimerWheel, ATimerCanBeBroughtForward) {
  TimerWheel wheel(kStart);
  Alarm alarm;
  wheel.start(alarm, kStart + hours(1));
  wheel.start(alarm, kStart + seconds(2));  // put off first, so that its slot and its time differ
  wheel.start(alarm, kStart + seconds(20));
  wheel.start(alarm, kStart + seconds(5));
  run_until(wheel, kStart + seconds(5) - microseconds(1));
  EXPECT_TRUE(alarm.calls.empty());
  run_until(wheel, kStart + seconds(5) + TimerWheel::kTick);
  EXPECT_EQ(alarm.calls.size(), 1U);
}

TEST(TimerWheel, AStoppedTimerIsNotCalled) {
  TimerWheel wheel(kStart);
  Alarm alarm;
  TimerWheel::stop(alarm);  // one that does not run can be stopped too
  wheel.start(alarm, kStart + seconds(1));
  TimerWheel::stop(alarm);
  run_until(wheel, kStart + seconds(5));
  EXPECT_TRUE(alarm.calls.empty());
  wheel.start(alarm, kStart + seconds(6));
  run_until(wheel, kStart + seconds(7));
  EXPECT_EQ(alarm.calls.size(), 1U);
}

TEST(TimerWheel, ADestroyedTimerIsNotCalled) {
  TimerWheel wheel(kStart);
  auto alarm = std::make_unique<Alarm>();
  wheel.start(*alarm, kStart + seconds(1));
  alarm.reset();
  run_until(wheel, kStart + seconds(5));
  EXPECT_EQ(wheel.next_due(), Time::max());
}

TEST(TimerWheel, ATimerThatAnotherOneStopsMovesOrDestroysInTheSameTickIsNotCalled) {
  TimerWheel wheel(kStart);
  Alarm first;
  Alarm stopped;
  Alarm moved;
  auto destroyed = std::make_unique<Alarm>();
  const Time due = kStart + seconds(1);
  for (Alarm* alarm : {&first, &stopped, &moved, destroyed.get()}) wheel.start(*alarm, due);
  first.then = [&] {
    TimerWheel::stop(stopped);
    wheel.start(moved, due + seconds(1));
    destroyed.reset();
  };
  run_until(wheel, due + TimerWheel::kTick);
  EXPECT_EQ(first.calls.size(), 1U);
  EXPECT_TRUE(stopped.calls.empty());
  EXPECT_TRUE(moved.calls.empty());
  run_until(wheel, due + seconds(1) + TimerWheel::kTick);
  EXPECT_EQ(moved.calls.size(), 1U);
}

TEST(TimerWheel, ATimerMayRestartItselfAndIsCalledOnceAPeriod) {
  TimerWheel wheel(kStart);
  Alarm alarm;
  alarm.then = [&] { wheel.start(alarm, alarm.calls.back() + seconds(1)); };
  wheel.start(alarm, kStart + seconds(1));
  run_until(wheel, kStart + seconds(30));
  EXPECT_GE(alarm.calls.size(), 29U);  // each may be a tick late
  EXPECT_LE(alarm.calls.size(), 30U);
  for (std::size_t i = 1; i < alarm.calls.size(); ++i) EXPECT_GE(alarm.calls[i] - alarm.calls[i - 1], seconds(1));
}

TEST(TimerWheel, ATimerThatRestartsItselfAtOnceDoesNotHoldTheRound) {
  TimerWheel wheel(kStart);
  Alarm alarm;
  alarm.then = [&] { wheel.start(alarm, kStart); };
  wheel.start(alarm, kStart);
  wheel.advance(kStart + TimerWheel::kTick);
  EXPECT_EQ(alarm.calls.size(), 1U);
  wheel.advance(kStart + TimerWheel::kTick * 2);
  EXPECT_EQ(alarm.calls.size(), 2U);
}

TEST(TimerWheel, ASleepLongerThanATurnMeetsEveryTimer) {
  TimerWheel wheel(kStart);
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 0; i < 2'000; ++i) {
    alarms.push_back(std::make_unique<Alarm>());
    wheel.start(*alarms.back(), kStart + milliseconds(37) * i);  // up to 74 s: four turns
  }
  const Time woken = kStart + kTurn * 3;
  wheel.advance(woken);
  for (int i = 0; i < 2'000; ++i) {
    const Time due = kStart + milliseconds(37) * i;
    const std::size_t calls = alarms[static_cast<std::size_t>(i)]->calls.size();
    const bool must = due + TimerWheel::kTick <= woken;
    const bool may = due <= woken;
    EXPECT_GE(calls, must ? 1U : 0U) << i;
    EXPECT_LE(calls, may ? 1U : 0U) << i;
  }
  run_until(wheel, kStart + kTurn * 6);
  for (const auto& alarm : alarms) EXPECT_EQ(alarm->calls.size(), 1U);
}

TEST(TimerWheel, AWheelThatSleptTakesNewTimersAtThePresentTime) {
  TimerWheel wheel(kStart);
  Alarm alarm;
  const Time now = kStart + hours(3);  // nobody called advance, since nothing ran
  wheel.start(alarm, now + milliseconds(50));
  wheel.advance(now);
  EXPECT_TRUE(alarm.calls.empty());
  run_until(wheel, now + milliseconds(50) + TimerWheel::kTick);
  EXPECT_EQ(alarm.calls.size(), 1U);
}

TEST(TimerWheel, LeavesItsTimersFreeWhenItDies) {
  Alarm alarm;
  {
    TimerWheel wheel(kStart);
    wheel.start(alarm, kStart + seconds(1));
  }
  EXPECT_FALSE(alarm.linked());
}

}  // namespace
}  // namespace rillgate::io
