#include "io/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace rillgate::io {
namespace {

std::uint32_t events_of(Reactor::Interest interest) {
  const std::uint32_t input = EPOLLIN | EPOLLRDHUP | EPOLLET;
  return interest == Reactor::Interest::kAll ? input | EPOLLOUT : input;
}

Fd checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return Fd(fd);
}

bool control(int epoll, int operation, int fd, std::uint32_t events, Watcher* watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watcher;
  return epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

void Fd::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Reactor::Reactor()
    : epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(checked(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")),
      now_(std::chrono::steady_clock::now()),
      wheel_(now_),
      scratch_(kScratchBytes) {
  if (!control(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), EPOLLIN | EPOLLET, nullptr)) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

Reactor::~Reactor() = default;

bool Reactor::watch(int fd, Watcher& watcher, Interest interest) {
  return control(epoll_.get(), EPOLL_CTL_ADD, fd, events_of(interest), &watcher);
}

bool Reactor::watch_listener(int fd, Watcher& watcher) {
  if (!control(epoll_.get(), EPOLL_CTL_ADD, fd, EPOLLIN, &watcher)) return false;
  listeners_.emplace_back(fd, &watcher);
  return true;
}

void Reactor::unwatch_listener(int fd) {
  unwatch(fd);
  std::erase_if(listeners_, [&](const auto& listener) { return listener.first == fd; });
}

void Reactor::rewatch(int fd, Watcher& watcher, Interest interest) {
  control(epoll_.get(), EPOLL_CTL_MOD, fd, events_of(interest), &watcher);
}

void Reactor::unwatch(int fd) {
  control(epoll_.get(), EPOLL_CTL_DEL, fd, 0, nullptr);
}

void Reactor::wake() {
  // One write for all letters that arrive before the loop looks.
  if (awake_.exchange(true)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

void Reactor::stop() {
  stopping_ = true;
  wake();
}

void Reactor::post(std::move_only_function<void()> task) {
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks_.push_back(std::move(task));
    has_tasks_ = true;
  }
  wake();
}

void Reactor::send(MailChain chain) {
  if (chain.empty()) return;
  MailItem* before = mail_.load(std::memory_order_relaxed);
  do {
    chain.last_->next_mail_ = before;
  } while (!mail_.compare_exchange_weak(before, chain.first_));
  // A letter to oneself is found before the loop sleeps again.
  if (!on_this_thread()) wake();
}

void Reactor::take_mail() {
  if (has_tasks_) {
    std::vector<std::move_only_function<void()>> tasks;
    {
      const std::lock_guard lock(tasks_mutex_);
      tasks.swap(tasks_);
      has_tasks_ = false;
    }
    for (auto& task : tasks) task();
  }
  MailItem* item = mail_.exchange(nullptr);
  // Letters were put in front of each other; turn them round.
  MailItem* in_order = nullptr;
  while (item != nullptr) {
    MailItem* const next = std::exchange(item->next_mail_, in_order);
    in_order = item;
    item = next;
  }
  while (in_order != nullptr) {
    MailItem* const current = in_order;
    in_order = std::exchange(current->next_mail_, nullptr);
    current->on_mail();
  }
}

int Reactor::wait_ms() const {
  if (mail_.load(std::memory_order_relaxed) != nullptr || has_tasks_ || stopping_) return 0;
  const Time due = wheel_.next_due();
  if (due == Time::max()) return -1;
  const auto left = std::chrono::ceil<milliseconds>(due - now_).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void Reactor::run() {
  thread_ = std::this_thread::get_id();
  std::array<epoll_event, kEventsPerRound> events;
  while (!stopping_) {
    now_ = std::chrono::steady_clock::now();
    const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerRound, wait_ms());
    now_ = std::chrono::steady_clock::now();
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr) {
        std::uint64_t wakes = 0;
        [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &wakes, sizeof wakes);
        awake_ = false;  // before the mail is taken: a later letter writes again
        continue;
      }
      static_cast<Watcher*>(event.data.ptr)
          ->on_ready({.readable = (event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                      .writable = (event.events & EPOLLOUT) != 0,
                      .hung_up = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                      .broken = (event.events & (EPOLLHUP | EPOLLERR)) != 0});
    }
    if (count == kEventsPerRound) {
      // One of them may stop to listen meanwhile.
      for (std::size_t i = listeners_.size(); i-- > 0;)
        listeners_[i].second->on_ready({.readable = true, .writable = false, .hung_up = false, .broken = false});
    }
    wheel_.advance(now_);
    take_mail();
    // A task may add another one, and the vector then moves what it holds.
    for (std::size_t i = 0; i < end_of_round_.size(); ++i) std::exchange(end_of_round_[i], nullptr)();
    end_of_round_.clear();
  }
}

}  // namespace rillgate::io
