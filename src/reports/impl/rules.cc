#include "reports/impl/rules.h"

#include <optional>
#include <string>

namespace rillgate::reports::impl {

std::expected<Report, ReportError> changed(Report report, const ChangeRequest& request, Time at) {
  if (request.if_version && *request.if_version != report.version) {
    return std::unexpected(VersionMismatch{*request.if_version, report.version});
  }
  if (!is_allowed({report.status, request.to})) return std::unexpected(NotAllowed{report.status, request.to});
  report.status = request.to;
  report.version = next(report.version);
  report.updated_at = at;
  return report;
}

ReportEvent event_of(const Report& report, EventSeq seq) {
  return {seq, report.id, report.version, report.status, report.updated_at};
}

EventPage page_frame(EventSeq after, EventSeq newest, EventSeq first_kept) {
  EventPage page;
  page.newest = newest;
  page.trimmed = next(after) < first_kept;
  return page;
}

Unavailable unavailable(Refusal refusal, std::size_t waiting_max) {
  if (refusal == Refusal::kClosed) return {.reason = "it is closing", .retryable = true};
  return {.reason = "it is busy, " + std::to_string(waiting_max) + " requests are waiting",
          .retryable = true,
          .busy = true};
}

}  // namespace rillgate::reports::impl
