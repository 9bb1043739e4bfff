// What V4 keeps: reports, the changes that made them what they are, and the events that tell of the changes. One change
// is one event is one line of history; the three are views of the same fact.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/ids.h"
#include "reports/status.h"

namespace rillgate::reports {

/// UTC, in milliseconds: the precision in which times are stored and shown.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;

/// Called on the threads of a store.
using WallClock = std::function<Time()>;
[[nodiscard]] Time wall_clock_now();

struct Report {
  UserId user;
  ReportId id;
  Status status = kFirstStatus;
  Version version{1};
  Time created_at;
  Time updated_at;

  bool operator==(const Report&) const = default;
};

struct HistoryEntry {
  Version version{};
  std::optional<Status> from;  // none: the creation
  Status to{};
  Time at;

  bool operator==(const HistoryEntry&) const = default;
};

/// A change as the user's watchers learn of it. Version 1 is the report's creation.
struct ReportEvent {
  EventSeq seq{};
  ReportId report;
  Version version{};
  Status status{};
  Time at;

  bool operator==(const ReportEvent&) const = default;
};

/// The `event:` of a stream: `report_created` or `report_status_update`.
[[nodiscard]] std::string_view event_type(const ReportEvent& event);
/// The `data:` of a stream. `user` is whose event it is.
[[nodiscard]] std::string event_json(const UserId& user, const ReportEvent& event);

[[nodiscard]] std::string report_json(const Report& report);
[[nodiscard]] std::string reports_json(const std::vector<Report>& reports);
[[nodiscard]] std::string history_json(const std::vector<HistoryEntry>& history);

/// RFC 3339, UTC, milliseconds: `2026-01-31T23:59:59.042Z`.
[[nodiscard]] std::string time_text(Time time);
/// The time of which `text` is the time_text(); nothing when it is no such text.
[[nodiscard]] std::optional<Time> parse_time(std::string_view text);

}  // namespace rillgate::reports
