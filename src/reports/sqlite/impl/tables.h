// The statements of the store: what is read and written, without threads or transactions. Each object belongs to one
// connection; whoever calls it has begun a transaction, and looks for the connection's failure at its end.
#pragma once

#include <expected>
#include <optional>
#include <vector>

#include "reports/impl/report_id_source.h"
#include "reports/report_store.h"
#include "reports/sqlite/impl/database.h"

namespace rillgate::reports::impl {

template <class Result>
using Outcome = std::expected<Result, ReportError>;

struct UserTip {
  EventSeq newest{};
  Time at;  // of that event; only where newest is not 0
};

class ReadTables {
 public:
  ReadTables(Database& database, WallClock clock, std::chrono::milliseconds keep);

  [[nodiscard]] Outcome<Report> get(const UserId& user, const ReportId& report);
  [[nodiscard]] Outcome<ReportPage> list(const ListRequest& request);
  [[nodiscard]] Outcome<std::vector<HistoryEntry>> history(const UserId& user, const ReportId& report);
  [[nodiscard]] Outcome<EventPage> events_after(const EventsRequest& request);
  [[nodiscard]] Outcome<EventSeq> newest_seq(const UserId& user) { return tip(user).newest; }

  [[nodiscard]] std::optional<Report> find(const UserId& user, const ReportId& report);
  [[nodiscard]] UserTip tip(const UserId& user);

 private:
  const WallClock clock_;
  const std::chrono::milliseconds keep_;
  Statement tip_;
  Statement report_;
  Statement reports_;
  Statement history_;
  Statement event_time_;
  Statement events_;
};

class WriteTables {
 public:
  WriteTables(Database& database, WallClock clock);

  /// Checks first and writes then, so a refusal leaves no trace in a transaction shared with others.
  [[nodiscard]] Outcome<Change> create(const UserId& user, const std::optional<IdempotencyKey>& key);
  [[nodiscard]] Outcome<Change> change(const ChangeRequest& request);
  /// Makes a report that cannot be and removes it: the transaction writes as many pages as a real change does.
  void probe();

 private:
  [[nodiscard]] std::optional<ReportId> find_key(const UserId& user, const IdempotencyKey& key, Time now);
  [[nodiscard]] bool is_known(const Source& source);
  Change record(const Report& report, EventSeq seq, const std::optional<Source>& source);

  const WallClock clock_;
  ReportIdSource ids_;
  ReadTables read_;
  Statement source_;
  Statement key_;
  Statement forget_keys_;
  Statement put_key_;
  Statement put_report_;
  Statement update_report_;
  Statement put_change_;
  Statement remove_report_;
  Statement remove_change_;
};

}  // namespace rillgate::reports::impl
