// Clients of a report store, for the benchmarks of several stores: each has a report, and asks for its next change when
// it is answered.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <latch>
#include <memory>
#include <vector>

#include "reports/report_store.h"
#include "turn.h"

namespace rillgate::bench {

[[nodiscard]] inline reports::UserId user_number(std::size_t n) {
  reports::UserId user;
  user.bytes[15] = static_cast<std::uint8_t>(n);
  user.bytes[14] = static_cast<std::uint8_t>(n >> 8);
  return user;
}

/// A change that is always allowed, to and fro.
[[nodiscard]] inline reports::ChangeRequest next_change(const reports::Report& report) {
  using reports::Status;
  const Status to = report.status == Status::kPending ? Status::kCanceled : Status::kPending;
  return {.user = report.user, .report = report.id, .to = to};
}

/// One report, one request under way. Runs on the store's thread.
class StoreClient {
 public:
  StoreClient(reports::ReportStore& store, const reports::UserId& user, SteadyClock::time_point end, std::latch& done)
      : store_(store), user_(user), end_(end), done_(done) {}

  void begin() { store_.create(user_, std::nullopt, answer()); }
  [[nodiscard]] const std::vector<double>& latencies_ms() const { return latencies_ms_; }

 private:
  reports::Done<reports::Change> answer() {
    return [this](const std::expected<reports::Change, reports::ReportError>& change) {
      if (!change) {
        fmt::print(stderr, "a change failed: {}\n", describe(change.error()));
        std::_Exit(1);
      }
      if (asked_ != SteadyClock::time_point{}) latencies_ms_.push_back(ms_since(asked_));
      asked_ = SteadyClock::now();
      if (asked_ >= end_) return done_.count_down();
      store_.change(next_change(change->report), answer());
    };
  }

  reports::ReportStore& store_;
  const reports::UserId user_;
  const SteadyClock::time_point end_;
  std::latch& done_;
  SteadyClock::time_point asked_;
  std::vector<double> latencies_ms_;
};

/// The clients' reports belong to `users` users in turn.
[[nodiscard]] inline Turn measure_clients(reports::ReportStore& store, std::size_t clients, std::size_t users,
                                          std::chrono::milliseconds round) {
  std::latch done(static_cast<std::ptrdiff_t>(clients));
  const auto begin = SteadyClock::now();
  std::vector<std::unique_ptr<StoreClient>> all;
  for (std::size_t n = 0; n < clients; ++n) {
    all.push_back(std::make_unique<StoreClient>(store, user_number(n % users), begin + round, done));
    all.back()->begin();
  }
  done.wait();
  const auto took = SteadyClock::now() - begin;
  std::vector<double> latencies_ms;
  for (const auto& client : all) {
    latencies_ms.insert(latencies_ms.end(), client->latencies_ms().begin(), client->latencies_ms().end());
  }
  return summary(latencies_ms, took);
}

}  // namespace rillgate::bench
