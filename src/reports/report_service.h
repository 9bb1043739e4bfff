// Reports as routes and workers use them: every change that is made is also announced, after it is durable and before
// its caller learns of it.
//
// A user's events are announced in the order of their numbers. There is no lock or queue for that here: a store calls
// back for one user's changes in that order and one at a time (report_store.h), and the announcement is made within the
// callback. An announcement can be missing (the process died after the commit, the commit's outcome was unknown,
// another node made the change), so whoever watches compares numbers and reads what it lacks from the store.
#pragma once

#include <optional>

#include "reports/report_store.h"

namespace rillgate::reports {

class ReportListener {
 public:
  virtual ~ReportListener() = default;
  /// On a thread of the store; for one user never twice at once. Must not block or throw.
  virtual void on_event(const UserId& user, const ReportEvent& event) = 0;
};

/// `store` and `listener` belong to the caller and outlive this object; close the store before destroying it.
class ReportService {
 public:
  ReportService(ReportStore& store, ReportListener& listener) : store_(store), listener_(listener) {}

  void create(const UserId& user, std::optional<IdempotencyKey> key, Done<Change> done);
  void change(ChangeRequest request, Done<Change> done);

  /// For reading: what changes reports goes through this service.
  [[nodiscard]] ReportStore& store() const { return store_; }

 private:
  /// `done`, with the announcement before it.
  [[nodiscard]] Done<Change> announcing(Done<Change> done);

  ReportStore& store_;
  ReportListener& listener_;
};

}  // namespace rillgate::reports
