// libcurl, enclosed: one thread's loop over HTTP requests, pauses and mail. The only header of ours that names its
// types.
//
// Connections are kept and used again (as many as there are transfers, at most kTransfersMax); requests beyond that
// wait in order. Everything but post() belongs to the thread that calls run().
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace rillgate::reports::dynamodb {

using SteadyTime = std::chrono::steady_clock::time_point;

/// What AWS Signature Version 4 needs; libcurl computes it.
struct Signing {
  std::string region;
  std::string key_id;
  std::string secret;
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers{};  // `Name: value`
  std::optional<std::string> body{};   // none: a GET
  std::optional<Signing> signing{};
  SteadyTime deadline;  // answered by then, also when it could not even begin
};

/// Whether a request that failed was served is not known: libcurl itself sends one again when a kept connection turns
/// out to be dead.
struct HttpAnswer {
  std::optional<std::string> failure;  // why there is no answer
  long status = 0;
  std::string body;
};

class Loop {
 public:
  /// Requests under way at once, each on a connection of its own.
  static constexpr std::size_t kTransfersMax = 64;
  /// A host that does not answer the first packet.
  static constexpr std::chrono::milliseconds kConnectTime{2'000};
  /// A request that is under way for this long has failed, whatever its deadline.
  static constexpr std::chrono::milliseconds kTransferTime{4'000};
  /// DynamoDB's largest answer is 16 MB, of ours none comes near it. Stops a wrong peer from filling the memory.
  static constexpr std::size_t kAnswerBytesMax = 16 << 20;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Any thread: `job` is run by the loop, soon and in the order of posting.
  void post(std::move_only_function<void()> job);

  /// Runs until `is_over` says so, which is asked after each turn.
  void run(const std::function<bool()>& is_over);

  /// For co_await: the answer. It lies in the coroutine's frame meanwhile.
  class Fetch {
   public:
    Fetch(Loop& loop, HttpRequest request) : loop_(loop), request_(std::move(request)) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting);
    HttpAnswer await_resume() { return std::move(answer_); }

   private:
    friend class Loop;
    Loop& loop_;
    HttpRequest request_;
    HttpAnswer answer_;
    std::coroutine_handle<> waiting_;
  };
  [[nodiscard]] Fetch fetch(HttpRequest request) { return {*this, std::move(request)}; }

  /// For co_await: goes on at `time`.
  class Pause {
   public:
    Pause(Loop& loop, SteadyTime time) : loop_(loop), time_(time) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) { loop_.pauses_.emplace(time_, waiting); }
    void await_resume() const noexcept {}

   private:
    Loop& loop_;
    SteadyTime time_;
  };
  [[nodiscard]] Pause pause_until(SteadyTime time) { return {*this, time}; }

 private:
  struct Transfer;
  struct Cleanup {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  void read_mail();
  void end_pauses();
  void begin_transfers();
  void begin(Fetch& fetch);
  void end_transfers();
  [[nodiscard]] int wait_ms() const;
  static void answer_late(Fetch& fetch);

  std::unique_ptr<CURLM, Cleanup> multi_;
  std::vector<std::unique_ptr<Transfer>> transfers_;  // all there are
  std::vector<Transfer*> free_;
  std::deque<Fetch*> waiting_;  // bounded by the store's waiting_max: none of its requests fetches twice at once
  std::multimap<SteadyTime, std::coroutine_handle<>> pauses_;
  std::mutex mutex_;
  std::vector<std::move_only_function<void()>> mail_;
};

}  // namespace rillgate::reports::dynamodb
