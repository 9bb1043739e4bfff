// Where reports live. One interface for a store in memory, in a file and in a database across the network; one suite of
// tests (tests/unit/reports/store_suite.cc) that each of them passes.
//
// What every store guarantees:
// - A change is one atomic step: the check against the table, the report's new state, the line of its history and the
//   event with the user's next number are made together or not at all. A change that was reported as made is durable.
// - The events of a user are numbered 1, 2, 3, … without holes. Their times never go back.
// - Reads see every change that was reported as made before they were asked for.
// - Calls never block and may come from any thread. Each callback is called exactly once, on a thread of the store or,
//   when the request is refused at once, on the caller's; also when the store closes. It must not block or throw. It
//   may call the store again, but not close it.
// - Callbacks that bring a user's events come one after another, each after the one before has returned, in the order
//   of the events' numbers. This is what lets ReportService announce in order without a lock.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "reports/ids.h"
#include "reports/report.h"
#include "reports/report_error.h"

namespace rillgate::reports {

template <class Result>
using Done = std::move_only_function<void(std::expected<Result, ReportError>)>;

/// The record that asked for a change, for sources that may deliver it again. Each is applied once.
struct Source {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  auto operator<=>(const Source&) const = default;
};

struct ChangeRequest {
  UserId user;
  ReportId report;
  Status to{};
  std::optional<Version> if_version{};  // refuse when the report has another; judged before the table
  std::optional<Source> source{};
};

/// A report after a change. No event: nothing was changed, because this request (by its idempotency key or its source)
/// had been served before; the report is then as it is now.
struct Change {
  Report report;
  std::optional<ReportEvent> event;
};

struct ListRequest {
  static constexpr std::size_t kLimitMax = 1000;

  UserId user;
  std::size_t limit = 100;          // 1 to kLimitMax
  std::optional<ReportId> after{};  // the last report of the page before
};

struct ReportPage {
  std::vector<Report> reports;   // newest first
  std::optional<ReportId> next;  // what `after` must be for the next page; none: this was the last
  EventSeq position{};           // a stream from here misses nothing that the page does not show
};

struct EventsRequest {
  static constexpr std::size_t kLimitMax = 1000;

  UserId user;
  EventSeq after{};
  std::size_t limit = kLimitMax;  // 1 to kLimitMax
};

struct EventPage {
  std::vector<ReportEvent> events;  // those after EventsRequest::after that are still kept, in order
  EventSeq newest{};                // the user's last event, kept or not
  bool trimmed = false;             // events after EventsRequest::after are no longer kept
};

struct StoreOptions {
  /// Requests that may wait; the next is refused as Unavailable. Stops a stalled disk from filling the memory.
  static constexpr std::size_t kWaitingMax = 8192;

  WallClock clock = wall_clock_now;
  std::chrono::milliseconds keep{0};  // how long events are told; 0: for good. Histories never expire.
  std::size_t waiting_max = kWaitingMax;
};

/// How long a repeat of a creation is known by its idempotency key.
inline constexpr std::chrono::hours kIdempotencyKept{24};

class ReportStore {
 public:
  virtual ~ReportStore() = default;

  /// The same for as long as the store's content is. Null while the store, across a network, was never reached; so it
  /// is not null for whoever was answered by anything but Unavailable. Any thread.
  [[nodiscard]] virtual const StoreId* id() const = 0;

  virtual void create(const UserId& user, std::optional<IdempotencyKey> key, Done<Change> done) = 0;
  virtual void change(ChangeRequest request, Done<Change> done) = 0;

  virtual void get(const UserId& user, const ReportId& report, Done<Report> done) = 0;
  virtual void list(const ListRequest& request, Done<ReportPage> done) = 0;
  /// Oldest first.
  virtual void history(const UserId& user, const ReportId& report, Done<std::vector<HistoryEntry>> done) = 0;
  virtual void events_after(const EventsRequest& request, Done<EventPage> done) = 0;
  /// 0 for a user without events.
  virtual void newest_seq(const UserId& user, Done<EventSeq> done) = 0;

  /// Whether changes can be made now: goes the way of one, down to the disk, and changes nothing. What can be read says
  /// little about it, since a full disk is read as ever.
  virtual void probe(Done<void> done) = 0;

  /// Refuses what comes from now on, finishes what was accepted and calls its callbacks, then stops the store's
  /// threads. Blocks until then; a second call does nothing. The destructor does the same. Not from a callback.
  virtual void close() = 0;
};

}  // namespace rillgate::reports
