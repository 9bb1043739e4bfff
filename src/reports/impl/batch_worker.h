// A thread that works off what is handed to it, in order, all that waits at once: under load one turn serves many. It
// is the only user of what its jobs touch, so that needs no lock.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <expected>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace rillgate::reports::impl {

enum class Refusal { kFull, kClosed };

template <class Job>
class BatchWorker {
 public:
  /// `run` is called on the worker's thread with 1 to `waiting_max` jobs and must not throw.
  BatchWorker(std::size_t waiting_max, std::move_only_function<void(std::vector<Job>&)> run)
      : waiting_max_(waiting_max), run_(std::move(run)), thread_([this] { work(); }) {}
  ~BatchWorker() { close(); }
  BatchWorker(const BatchWorker&) = delete;
  BatchWorker& operator=(const BatchWorker&) = delete;

  /// Takes the job, or refuses and leaves it as it was. Any thread.
  [[nodiscard]] std::expected<void, Refusal> post(Job& job) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return std::unexpected(Refusal::kClosed);
      if (waiting_.size() >= waiting_max_) return std::unexpected(Refusal::kFull);
      waiting_.push_back(std::move(job));
      if (waiting_.size() > 1) return {};  // whoever made it 1 has woken the thread
    }
    wake_.notify_one();
    return {};
  }

  /// Refuses from now on, works off what was accepted, ends the thread. From one thread, and not from a job.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void work() {
    std::vector<Job> batch;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        batch.swap(waiting_);
      }
      run_(batch);
      batch.clear();
    }
  }

  const std::size_t waiting_max_;
  std::move_only_function<void(std::vector<Job>&)> run_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> waiting_;
  bool closed_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace rillgate::reports::impl
