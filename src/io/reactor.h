// One thread's loop: descriptors that became ready, timers that are due, and mail from other threads.
//
// A thin layer over epoll. Boost.Asio was weighed and measured against it (docs/decisions/0001-own-reactor.md).
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "io/fd.h"
#include "io/timer.h"

namespace rillgate::io {

/// What a descriptor's readiness is told to.
class Watcher {
 public:
  struct Ready {
    bool readable;
    bool writable;
    bool hung_up;  // the peer will send no more, or the connection broke
    bool broken;   // it broke, or both directions are shut
  };
  /// On the reactor's thread. Edge-triggered: told once for each change, so the watcher reads or writes until the
  /// descriptor would block (or returns less than asked for), or remembers that it did not.
  virtual void on_ready(Ready ready) = 0;

 protected:
  ~Watcher() = default;
};

/// A letter without an envelope: the link is in the object, so sending costs no allocation. In one mailbox at a time.
class MailItem {
 public:
  /// On the receiving reactor's thread.
  virtual void on_mail() = 0;

 protected:
  ~MailItem() = default;

 private:
  friend class Reactor;
  friend class MailChain;
  MailItem* next_mail_ = nullptr;
};

/// Letters for one reactor, sent with one step.
class MailChain {
 public:
  void add(MailItem& item) {
    item.next_mail_ = first_;
    first_ = &item;
    if (last_ == nullptr) last_ = &item;
  }
  [[nodiscard]] bool empty() const { return first_ == nullptr; }

 private:
  friend class Reactor;
  MailItem* first_ = nullptr;
  MailItem* last_ = nullptr;
};

/// Functions are for the reactor's own thread unless they say "any thread".
class Reactor {
 public:
  Reactor();
  Reactor(const Reactor&) = delete;
  ~Reactor();

  /// Works until stop().
  void run();
  /// Any thread.
  void stop();

  enum class Interest : std::uint8_t {
    kAll,
    kInput,  // not in the descriptor's becoming writable: one event less for whoever writes at once and is seldom full
  };
  /// Starts watching, edge-triggered. Fails only for want of kernel memory (false).
  [[nodiscard]] bool watch(int fd, Watcher& watcher, Interest interest = Interest::kAll);
  /// Level-triggered and for reading only: for listeners, where an edge could be lost when descriptors run out. While
  /// more is ready than one round takes, it is told "readable" in each round: behind ten thousand others that became
  /// ready at once its backlog would overflow, and clients would come back a second later.
  [[nodiscard]] bool watch_listener(int fd, Watcher& watcher);
  /// The watcher or the interest changes, or neither; what is ready now is told (again). Any thread.
  void rewatch(int fd, Watcher& watcher, Interest interest = Interest::kAll);
  void unwatch(int fd);
  void unwatch_listener(int fd);

  void start(Timer& timer, Time due) { wheel_.start(timer, due); }
  /// When this round of the loop began. Cheap.
  [[nodiscard]] Time now() const { return now_; }

  /// Runs `task` on this thread soon. Any thread; tasks of one sender keep their order. After the loop has ended tasks
  /// are destroyed without being run.
  void post(std::move_only_function<void()> task);
  /// Any thread.
  void send(MailChain chain);
  /// Runs `task` when the present round of the loop has told everybody; so an object may have itself destroyed.
  void at_end_of_round(std::move_only_function<void()> task) { end_of_round_.push_back(std::move(task)); }

  /// A block that the watchers of this thread read into, one after the other, so that idle connections own no buffer.
  [[nodiscard]] std::span<char> scratch() { return scratch_; }
  [[nodiscard]] bool on_this_thread() const {
    return thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

 private:
  static constexpr std::size_t kScratchBytes = 64 * 1024;
  /// What waits for the end of a round waits for so many others at most.
  static constexpr int kEventsPerRound = 64;

  void wake();
  void take_mail();
  int wait_ms() const;

  Fd epoll_;
  Fd wake_;
  Time now_;
  TimerWheel wheel_;
  std::vector<std::pair<int, Watcher*>> listeners_;
  std::atomic<std::thread::id> thread_;  // senders ask before and while the loop begins
  std::atomic<bool> stopping_{false};
  std::atomic<bool> awake_{false};  // a wake-up is under way
  std::atomic<MailItem*> mail_{nullptr};
  std::mutex tasks_mutex_;
  std::vector<std::move_only_function<void()>> tasks_;
  std::atomic<bool> has_tasks_{false};
  std::vector<std::move_only_function<void()>> end_of_round_;
  std::vector<char> scratch_;
};

}  // namespace rillgate::io
