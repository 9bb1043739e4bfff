#include "reports/report_service.h"

#include <utility>

namespace rillgate::reports {

void ReportService::create(const UserId& user, std::optional<IdempotencyKey> key, Done<Change> done) {
  store_.create(user, std::move(key), announcing(std::move(done)));
}

void ReportService::change(ChangeRequest request, Done<Change> done) {
  store_.change(std::move(request), announcing(std::move(done)));
}

Done<Change> ReportService::announcing(Done<Change> done) {
  return [this, done = std::move(done)](std::expected<Change, ReportError> result) mutable {
    if (result && result->event) listener_.on_event(result->report.user, *result->event);
    done(std::move(result));
  };
}

}  // namespace rillgate::reports
