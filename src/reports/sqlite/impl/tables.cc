#include "reports/sqlite/impl/tables.h"

#include <algorithm>
#include <utility>

#include "reports/impl/rules.h"

namespace rillgate::reports::impl {
namespace {

/// The time of the event after `tip`.
Time next_time(const UserTip& tip, Time now) {
  return tip.newest == EventSeq{0} ? now : std::max(now, tip.at);
}

/// Sorts behind every report: what a list that begins at the newest comes "after".
ReportId behind_all() {
  ReportId id;
  id.bytes.fill(0xff);
  return id;
}

Report report_of(Rows& rows, const UserId& user, const ReportId& id) {
  return {.user = user,
          .id = id,
          .status = rows.status(0),
          .version = rows.version(1),
          .created_at = rows.time(2),
          .updated_at = rows.time(3)};
}

}  // namespace

ReadTables::ReadTables(Database& database, WallClock clock, std::chrono::milliseconds keep)
    : clock_(std::move(clock)),
      keep_(keep),
      tip_(database, "SELECT seq, at FROM changes WHERE user = ? ORDER BY seq DESC LIMIT 1"),
      report_(database, "SELECT status, version, created_at, updated_at FROM reports WHERE user = ? AND report = ?"),
      reports_(database,
               "SELECT status, version, created_at, updated_at, report FROM reports"
               " WHERE user = ? AND report < ? ORDER BY report DESC LIMIT ?"),
      history_(database, "SELECT version, status, at FROM changes WHERE user = ? AND report = ? ORDER BY version"),
      event_time_(database, "SELECT at FROM changes WHERE user = ? AND seq = ?"),
      events_(database,
              "SELECT seq, report, version, status, at FROM changes WHERE user = ? AND seq >= ? ORDER BY seq LIMIT ?") {
}

std::optional<Report> ReadTables::find(const UserId& user, const ReportId& report) {
  Rows rows = report_.run(user, report);
  if (!rows.next()) return std::nullopt;
  return report_of(rows, user, report);
}

UserTip ReadTables::tip(const UserId& user) {
  Rows rows = tip_.run(user);
  if (!rows.next()) return {};
  return {rows.seq(0), rows.time(1)};
}

Outcome<Report> ReadTables::get(const UserId& user, const ReportId& report) {
  const auto found = find(user, report);
  if (!found) return std::unexpected(NotFound{user, report});
  return *found;
}

Outcome<ReportPage> ReadTables::list(const ListRequest& request) {
  ReportPage page{.reports = {}, .next = std::nullopt, .position = tip(request.user).newest};
  // One more than asked for tells whether there is a next page.
  Rows rows =
      reports_.run(request.user, request.after.value_or(behind_all()), static_cast<std::int64_t>(request.limit) + 1);
  while (rows.next()) {
    if (page.reports.size() == request.limit) {
      page.next = page.reports.back().id;
      break;
    }
    page.reports.push_back(report_of(rows, request.user, rows.report_id(4)));
  }
  return page;
}

Outcome<std::vector<HistoryEntry>> ReadTables::history(const UserId& user, const ReportId& report) {
  std::vector<HistoryEntry> entries;
  Rows rows = history_.run(user, report);
  while (rows.next()) {
    const std::optional<Status> from = entries.empty() ? std::nullopt : std::optional(entries.back().to);
    entries.push_back({rows.version(0), from, rows.status(1), rows.time(2)});
  }
  if (entries.empty()) return std::unexpected(NotFound{user, report});
  return entries;
}

Outcome<EventPage> ReadTables::events_after(const EventsRequest& request) {
  const EventSeq newest = tip(request.user).newest;
  const EventSeq first = first_kept(newest, clock_(), keep_, [&](EventSeq seq) {
    Rows rows = event_time_.run(request.user, seq);
    return rows.next() ? rows.time(0) : Time{};
  });
  EventPage page = page_frame(request.after, newest, first);
  Rows rows = events_.run(request.user, std::max(first, next(request.after)), static_cast<std::int64_t>(request.limit));
  while (rows.next()) {
    page.events.push_back({rows.seq(0), rows.report_id(1), rows.version(2), rows.status(3), rows.time(4)});
  }
  return page;
}

WriteTables::WriteTables(Database& database, WallClock clock)
    : clock_(clock),
      read_(database, std::move(clock), {}),
      source_(database, "SELECT 1 FROM changes WHERE topic = ? AND partition = ? AND record = ?"),
      key_(database, "SELECT report, made_at FROM idempotency_keys WHERE user = ? AND key = ?"),
      forget_keys_(database,
                   "DELETE FROM idempotency_keys WHERE made_at <= ? AND made IN"
                   " (SELECT made FROM idempotency_keys ORDER BY made LIMIT 2)"),
      put_key_(database, "REPLACE INTO idempotency_keys (user, key, report, made_at) VALUES (?, ?, ?, ?)"),
      put_report_(database, "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?)"),
      update_report_(database,
                     "UPDATE reports SET status = ?, version = ?, updated_at = ? WHERE user = ? AND report = ?"),
      put_change_(database, "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      remove_report_(database, "DELETE FROM reports WHERE user = ? AND report = ?"),
      remove_change_(database, "DELETE FROM changes WHERE user = ? AND seq = ?") {}

std::optional<ReportId> WriteTables::find_key(const UserId& user, const IdempotencyKey& key, Time now) {
  Rows rows = key_.run(user, std::string_view(key.text()));
  if (!rows.next() || !is_kept(rows.time(1), now, kIdempotencyKept)) return std::nullopt;
  return rows.report_id(0);
}

bool WriteTables::is_known(const Source& source) {
  Rows rows = source_.run(std::string_view(source.topic), std::int64_t{source.partition}, source.offset);
  return rows.next();
}

Change WriteTables::record(const Report& report, EventSeq seq, const std::optional<Source>& source) {
  const std::optional<std::string_view> topic = source ? std::optional<std::string_view>(source->topic) : std::nullopt;
  const std::optional<std::int64_t> partition = source ? std::optional<std::int64_t>(source->partition) : std::nullopt;
  const std::optional<std::int64_t> offset = source ? std::optional(source->offset) : std::nullopt;
  put_change_.execute(report.user, seq, report.id, report.version, report.status, report.updated_at, topic, partition,
                      offset);
  return {report, event_of(report, seq)};
}

Outcome<Change> WriteTables::create(const UserId& user, const std::optional<IdempotencyKey>& key) {
  const Time now = clock_();
  if (key) {
    if (const auto known = find_key(user, *key, now)) {
      const auto report = read_.find(user, *known);
      if (!report) return std::unexpected(NotFound{user, *known});
      return Change{*report, std::nullopt};
    }
  }
  const UserTip tip = read_.tip(user);
  const Time at = next_time(tip, now);
  const Report report{.user = user, .id = ids_.next(now), .created_at = at, .updated_at = at};
  if (key) {
    // Each key that is made forgets up to two expired ones, so they cannot pile up and no request pays for many.
    forget_keys_.execute(now - kIdempotencyKept);
    put_key_.execute(user, std::string_view(key->text()), report.id, now);
  }
  put_report_.execute(user, report.id, report.status, report.version, report.created_at, report.updated_at);
  return record(report, next(tip.newest), std::nullopt);
}

Outcome<Change> WriteTables::change(const ChangeRequest& request) {
  const auto report = read_.find(request.user, request.report);
  if (!report) return std::unexpected(NotFound{request.user, request.report});
  if (request.source && is_known(*request.source)) return Change{*report, std::nullopt};
  const UserTip tip = read_.tip(request.user);
  const auto after = changed(*report, request, next_time(tip, clock_()));
  if (!after) return std::unexpected(after.error());
  update_report_.execute(after->status, after->version, after->updated_at, after->user, after->id);
  return record(*after, next(tip.newest), request.source);
}

void WriteTables::probe() {
  const Report impossible{};  // no report has this id, and no event the number 0
  put_report_.execute(impossible.user, impossible.id, impossible.status, impossible.version, impossible.created_at,
                      impossible.updated_at);
  static_cast<void>(record(impossible, EventSeq{0}, std::nullopt));
  remove_change_.execute(impossible.user, EventSeq{0});
  remove_report_.execute(impossible.user, impossible.id);
}

}  // namespace rillgate::reports::impl
