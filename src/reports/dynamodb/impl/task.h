// Coroutines of one thread, so that what waits for the network reads from top to bottom.
//
// A Task begins when it is awaited and is awaited once, by one coroutine. Nothing here locks or switches threads:
// whoever resumes a coroutine (the Loop) does so on its own thread. Exceptions do not leave a coroutine; one that tries
// ends the program, as it would leaving a thread.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

namespace rillgate::reports::dynamodb {

template <class Result>
class [[nodiscard]] Task {
 public:
  // NOLINTBEGIN(readability-identifier-naming): the language looks for these names
  struct promise_type {
    std::coroutine_handle<> awaiting;
    std::optional<Result> result;

    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept { return Return{}; }
    template <class Value = Result>
    void return_value(Value&& value) {
      result.emplace(std::forward<Value>(value));
    }
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
  };
  // NOLINTEND(readability-identifier-naming)

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().awaiting = awaiting;
    return handle_;
  }
  Result await_resume() { return *std::move(handle_.promise().result); }

 private:
  struct Return {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) noexcept {
      return done.promise().awaiting;
    }
    void await_resume() const noexcept {}
  };

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// A coroutine that nobody awaits: it begins at once and destroys itself at its end.
struct Detached {
  // NOLINTBEGIN(readability-identifier-naming): the language looks for these names
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
  };
  // NOLINTEND(readability-identifier-naming)
};

/// Lets one coroutine do what many want, and the others wait for it: who enters while none is inside does the work and
/// calls leave() after it; the others go on then.
class Turnstile {
 public:
  [[nodiscard]] bool is_taken() const { return taken_; }
  void enter() { taken_ = true; }
  void leave() {
    taken_ = false;
    for (const std::coroutine_handle<> waiting : std::exchange(waiting_, {})) waiting.resume();
  }
  /// For co_await, while it is taken.
  auto until_left() {
    struct Wait {
      std::vector<std::coroutine_handle<>>& waiting;
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> handle) { waiting.push_back(handle); }
      void await_resume() const noexcept {}
    };
    return Wait{waiting_};
  }

 private:
  bool taken_ = false;
  std::vector<std::coroutine_handle<>> waiting_;
};

}  // namespace rillgate::reports::dynamodb
