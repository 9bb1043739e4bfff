// What all stores decide in the same way. Pure: no clock, no storage.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>

#include "reports/impl/batch_worker.h"
#include "reports/report_store.h"

namespace rillgate::reports::impl {

/// The report after `request`, made at `at`, or why it stays as it is.
[[nodiscard]] std::expected<Report, ReportError> changed(Report report, const ChangeRequest& request, Time at);

/// The event that tells of the change which made `report` what it is.
[[nodiscard]] ReportEvent event_of(const Report& report, EventSeq seq);

/// Whether an event or a key made at `at` is still kept at `now`.
[[nodiscard]] inline bool is_kept(Time at, Time now, std::chrono::milliseconds keep) {
  return now - at < keep;
}

/// The first of a user's events 1 to `newest` that is still kept, or the one after `newest`. `time_of` gives the time
/// of an event; it is asked for about log2(newest) of them.
template <class TimeOf>
[[nodiscard]] EventSeq first_kept(EventSeq newest, Time now, std::chrono::milliseconds keep, TimeOf time_of) {
  if (keep == std::chrono::milliseconds::zero()) return EventSeq{1};
  std::uint64_t first = 1;
  std::uint64_t end = value(newest) + 1;
  while (first < end) {
    const std::uint64_t middle = first + (end - first) / 2;
    if (is_kept(time_of(EventSeq{middle}), now, keep)) {
      end = middle;
    } else {
      first = middle + 1;
    }
  }
  return EventSeq{first};
}

/// An EventPage without its events.
[[nodiscard]] EventPage page_frame(EventSeq after, EventSeq newest, EventSeq first_kept);

[[nodiscard]] Unavailable unavailable(Refusal refusal, std::size_t waiting_max);

}  // namespace rillgate::reports::impl
