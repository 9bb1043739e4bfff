// What the tests of the stores share.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reports/report_store.h"

namespace rillgate::reports {

// How GoogleTest shows what differs.
// NOLINTBEGIN(readability-identifier-naming): GoogleTest looks for this name
inline void PrintTo(const ReportError& error, std::ostream* out) {
  *out << describe(error);
}
inline void PrintTo(const Report& report, std::ostream* out) {
  *out << report_json(report);
}
// NOLINTEND(readability-identifier-naming)

}  // namespace rillgate::reports

namespace rillgate::reports::testing {

/// A directory of its own, gone with its content at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "rillgate-reports-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A kind of store, for the tests that all of them pass.
struct StoreKind {
  std::string name;
  /// With the same directory again: the same store, if it outlives its process.
  std::function<std::unique_ptr<ReportStore>(const std::filesystem::path& directory, StoreOptions options)> open;
  /// So many requests at once, of one user, are no overload on the slowest of machines.
  int burst = 2000;
};
[[nodiscard]] std::vector<StoreKind> store_kinds();

/// A clock that stands still until it is set. Any thread.
class ManualClock {
 public:
  void set(Time time) { ms_ = time.time_since_epoch().count(); }
  void advance(std::chrono::milliseconds by) { ms_ += by.count(); }
  [[nodiscard]] Time now() const { return Time(std::chrono::milliseconds(ms_)); }
  [[nodiscard]] WallClock clock() const {
    return [this] { return now(); };
  }

 private:
  std::atomic<std::int64_t> ms_{1'800'000'000'000};
};

/// The result of a call that answers by callback. A callback that does not come ends the program: nothing can be said
/// about a store that forgets one.
template <class Result, class Call>
std::expected<Result, ReportError> wait(Call call) {
  const auto promise = std::make_shared<std::promise<std::expected<Result, ReportError>>>();
  auto future = promise->get_future();
  call(Done<Result>([promise](std::expected<Result, ReportError> result) { promise->set_value(std::move(result)); }));
  if (future.wait_for(std::chrono::seconds(120)) != std::future_status::ready) {
    std::cerr << "a callback of the store was not called\n";
    std::abort();
  }
  return future.get();
}

/// A store's operations as plain functions.
class Blocking {
 public:
  explicit Blocking(ReportStore& store) : store_(store) {}

  std::expected<Change, ReportError> create(const UserId& user, std::optional<IdempotencyKey> key = std::nullopt) {
    return wait<Change>([&](auto done) { store_.create(user, std::move(key), std::move(done)); });
  }
  std::expected<Change, ReportError> change(ChangeRequest request) {
    return wait<Change>([&](auto done) { store_.change(std::move(request), std::move(done)); });
  }
  std::expected<Report, ReportError> get(const UserId& user, const ReportId& report) {
    return wait<Report>([&](auto done) { store_.get(user, report, std::move(done)); });
  }
  std::expected<ReportPage, ReportError> list(const ListRequest& request) {
    return wait<ReportPage>([&](auto done) { store_.list(request, std::move(done)); });
  }
  std::expected<std::vector<HistoryEntry>, ReportError> history(const UserId& user, const ReportId& report) {
    return wait<std::vector<HistoryEntry>>([&](auto done) { store_.history(user, report, std::move(done)); });
  }
  std::expected<EventPage, ReportError> events_after(const EventsRequest& request) {
    return wait<EventPage>([&](auto done) { store_.events_after(request, std::move(done)); });
  }
  std::expected<EventSeq, ReportError> newest_seq(const UserId& user) {
    return wait<EventSeq>([&](auto done) { store_.newest_seq(user, std::move(done)); });
  }
  std::expected<void, ReportError> probe() {
    return wait<void>([&](auto done) { store_.probe(std::move(done)); });
  }

  /// All events after `after`, however many pages they take.
  std::vector<ReportEvent> all_events(const UserId& user, EventSeq after = {}) {
    std::vector<ReportEvent> events;
    for (;;) {
      const EventPage page = events_after({.user = user, .after = after}).value();
      if (page.events.empty()) return events;
      events.insert(events.end(), page.events.begin(), page.events.end());
      after = page.events.back().seq;
    }
  }

 private:
  ReportStore& store_;
};

/// A user for each number.
[[nodiscard]] inline UserId user_number(std::uint8_t n) {
  UserId user;
  user.bytes.back() = n;
  return user;
}

[[nodiscard]] inline IdempotencyKey key(std::string_view text) {
  return IdempotencyKey::parse(text).value();
}

/// The number of the event that a change brought; 0 if there is none.
[[nodiscard]] inline EventSeq seq_of(const std::expected<Change, ReportError>& change) {
  if (!change) return {};
  const std::optional<ReportEvent>& event = change->event;
  return event ? event->seq : EventSeq{};
}

/// The steps from a report's creation to `status`.
[[nodiscard]] inline std::vector<Status> way_to(Status status) {
  switch (status) {
    case Status::kPending:
      return {};
    case Status::kQueued:
      return {Status::kQueued};
    case Status::kProcessing:
      return {Status::kQueued, Status::kProcessing};
    case Status::kCompleted:
      return {Status::kQueued, Status::kProcessing, Status::kCompleted};
    case Status::kFailed:
      return {Status::kQueued, Status::kProcessing, Status::kFailed};
    case Status::kCanceled:
      return {Status::kCanceled};
  }
  std::unreachable();
}

/// Whether `history` is one that the table allows, with each version once and times that never go back.
inline void expect_legal_walk(const std::vector<HistoryEntry>& history) {
  ASSERT_FALSE(history.empty());
  EXPECT_EQ(history.front().from, std::nullopt);
  EXPECT_EQ(history.front().to, kFirstStatus);
  EXPECT_EQ(history.front().version, Version{1});
  for (std::size_t i = 1; i < history.size(); ++i) {
    EXPECT_EQ(history[i].from, history[i - 1].to);
    EXPECT_TRUE(is_allowed({history[i - 1].to, history[i].to}));
    EXPECT_EQ(history[i].version, next(history[i - 1].version));
    EXPECT_GE(history[i].at, history[i - 1].at);
  }
}

}  // namespace rillgate::reports::testing
