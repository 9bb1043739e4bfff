#include "reports/memory/memory_store.h"

#include <cassert>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "reports/impl/batch_worker.h"
#include "reports/impl/report_id_source.h"
#include "reports/impl/rules.h"

namespace rillgate::reports {
namespace {

template <class Result>
using Outcome = std::expected<Result, ReportError>;

struct KeptReport {
  Report report;
  std::vector<HistoryEntry> history;
};

struct UserData {
  std::map<ReportId, KeptReport, std::greater<>> reports;  // newest first
  std::vector<ReportEvent> events;                         // event n is at n - 1
  std::map<IdempotencyKey, ReportId> keys;

  [[nodiscard]] EventSeq newest() const { return EventSeq{events.size()}; }
};

struct KeyMade {
  Time at;
  UserId user;
  IdempotencyKey key;
};

/// The data and the operations on it; touched by the worker's thread only.
class Tables {
 public:
  explicit Tables(StoreOptions options) : options_(std::move(options)) {}

  Outcome<Change> create(const UserId& user, const std::optional<IdempotencyKey>& key);
  Outcome<Change> change(const ChangeRequest& request);
  Outcome<Report> get(const UserId& user, const ReportId& report);
  Outcome<ReportPage> list(const ListRequest& request);
  Outcome<std::vector<HistoryEntry>> history(const UserId& user, const ReportId& report);
  Outcome<EventPage> events_after(const EventsRequest& request);
  Outcome<EventSeq> newest_seq(const UserId& user);

 private:
  /// Nothing for a user without reports: asking makes no entry.
  [[nodiscard]] UserData* find(const UserId& user);
  [[nodiscard]] KeptReport* find(const UserId& user, const ReportId& report);
  /// The time of the user's next event.
  [[nodiscard]] Time next_time(const UserData& data) const;
  Change record(UserData& data, KeptReport& kept, std::optional<Status> from);
  void forget_expired_keys(Time now);

  const StoreOptions options_;
  impl::ReportIdSource ids_;
  std::map<UserId, UserData> users_;
  std::set<Source> sources_;
  std::deque<KeyMade> keys_made_;  // oldest first
};

UserData* Tables::find(const UserId& user) {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second;
}

KeptReport* Tables::find(const UserId& user, const ReportId& report) {
  UserData* const data = find(user);
  if (data == nullptr) return nullptr;
  const auto found = data->reports.find(report);
  return found == data->reports.end() ? nullptr : &found->second;
}

Time Tables::next_time(const UserData& data) const {
  const Time now = options_.clock();
  return data.events.empty() ? now : std::max(now, data.events.back().at);
}

Change Tables::record(UserData& data, KeptReport& kept, std::optional<Status> from) {
  const Report& report = kept.report;
  kept.history.push_back({report.version, from, report.status, report.updated_at});
  data.events.push_back(impl::event_of(report, next(data.newest())));
  return {report, data.events.back()};
}

void Tables::forget_expired_keys(Time now) {
  while (!keys_made_.empty() && !impl::is_kept(keys_made_.front().at, now, kIdempotencyKept)) {
    users_.at(keys_made_.front().user).keys.erase(keys_made_.front().key);
    keys_made_.pop_front();
  }
}

Outcome<Change> Tables::create(const UserId& user, const std::optional<IdempotencyKey>& key) {
  const Time now = options_.clock();
  forget_expired_keys(now);
  UserData& data = users_[user];
  const Time at = next_time(data);
  if (key) {
    const auto known = data.keys.find(*key);
    if (known != data.keys.end()) return Change{data.reports.at(known->second).report, std::nullopt};
  }
  const ReportId id = ids_.next(now);
  if (key) {
    data.keys.emplace(*key, id);
    keys_made_.push_back({now, user, *key});
  }
  KeptReport& kept = data.reports[id];
  kept.report = {.user = user, .id = id, .created_at = at, .updated_at = at};
  return record(data, kept, std::nullopt);
}

Outcome<Change> Tables::change(const ChangeRequest& request) {
  KeptReport* const kept = find(request.user, request.report);
  if (kept == nullptr) return std::unexpected(NotFound{request.user, request.report});
  if (request.source && sources_.contains(*request.source)) return Change{kept->report, std::nullopt};
  UserData& data = *find(request.user);
  auto after = impl::changed(kept->report, request, next_time(data));
  if (!after) return std::unexpected(after.error());
  if (request.source) sources_.insert(*request.source);
  const Status from = std::exchange(kept->report, *after).status;
  return record(data, *kept, from);
}

Outcome<Report> Tables::get(const UserId& user, const ReportId& report) {
  const KeptReport* const kept = find(user, report);
  if (kept == nullptr) return std::unexpected(NotFound{user, report});
  return kept->report;
}

Outcome<ReportPage> Tables::list(const ListRequest& request) {
  ReportPage page;
  const UserData* const data = find(request.user);
  if (data == nullptr) return page;
  page.position = data->newest();
  auto at = request.after ? data->reports.upper_bound(*request.after) : data->reports.begin();
  for (; at != data->reports.end() && page.reports.size() < request.limit; ++at) {
    page.reports.push_back(at->second.report);
  }
  if (at != data->reports.end()) page.next = page.reports.back().id;
  return page;
}

Outcome<std::vector<HistoryEntry>> Tables::history(const UserId& user, const ReportId& report) {
  const KeptReport* const kept = find(user, report);
  if (kept == nullptr) return std::unexpected(NotFound{user, report});
  return kept->history;
}

Outcome<EventPage> Tables::events_after(const EventsRequest& request) {
  const UserData* const data = find(request.user);
  if (data == nullptr) return EventPage{};
  const auto event = [data](EventSeq seq) -> const ReportEvent& { return data->events[value(seq) - 1]; };
  const EventSeq first = impl::first_kept(data->newest(), options_.clock(), options_.keep,
                                          [&event](EventSeq seq) { return event(seq).at; });
  EventPage page = impl::page_frame(request.after, data->newest(), first);
  for (EventSeq seq = std::max(first, next(request.after)); seq <= data->newest() && page.events.size() < request.limit;
       seq = next(seq)) {
    page.events.push_back(event(seq));
  }
  return page;
}

Outcome<EventSeq> Tables::newest_seq(const UserId& user) {
  const UserData* const data = find(user);
  return data == nullptr ? EventSeq{} : data->newest();
}

/// Hands each request to the worker, which has the tables to itself.
class MemoryStore final : public ReportStore {
 public:
  explicit MemoryStore(StoreOptions options)
      : waiting_max_(options.waiting_max), tables_(std::move(options)), worker_(waiting_max_, run_all) {}
  ~MemoryStore() override { worker_.close(); }

  [[nodiscard]] const StoreId* id() const override { return &id_; }

  void create(const UserId& user, std::optional<IdempotencyKey> key, Done<Change> done) override {
    submit(std::move(done), [this, user, key = std::move(key)] { return tables_.create(user, key); });
  }
  void change(ChangeRequest request, Done<Change> done) override {
    submit(std::move(done), [this, request = std::move(request)] { return tables_.change(request); });
  }
  void get(const UserId& user, const ReportId& report, Done<Report> done) override {
    submit(std::move(done), [this, user, report] { return tables_.get(user, report); });
  }
  void list(const ListRequest& request, Done<ReportPage> done) override {
    assert(request.limit >= 1 && request.limit <= ListRequest::kLimitMax);
    submit(std::move(done), [this, request] { return tables_.list(request); });
  }
  void history(const UserId& user, const ReportId& report, Done<std::vector<HistoryEntry>> done) override {
    submit(std::move(done), [this, user, report] { return tables_.history(user, report); });
  }
  void events_after(const EventsRequest& request, Done<EventPage> done) override {
    assert(request.limit >= 1 && request.limit <= EventsRequest::kLimitMax);
    submit(std::move(done), [this, request] { return tables_.events_after(request); });
  }
  void newest_seq(const UserId& user, Done<EventSeq> done) override {
    submit(std::move(done), [this, user] { return tables_.newest_seq(user); });
  }
  void probe(Done<void> done) override {
    submit(std::move(done), [] { return Outcome<void>{}; });
  }

  void close() override { worker_.close(); }

 private:
  /// Does its work, or tells its caller why it is not done.
  using Job = std::move_only_function<void(std::optional<Unavailable> refused)>;

  static void run_all(std::vector<Job>& jobs) {
    for (Job& job : jobs) job(std::nullopt);
  }

  template <class Result, class Operation>
  void submit(Done<Result> done, Operation operation) {
    Job job = [done = std::move(done), operation = std::move(operation)](std::optional<Unavailable> refused) mutable {
      if (refused) return done(std::unexpected(*std::move(refused)));
      done(operation());
    };
    if (const auto posted = worker_.post(job); !posted) job(impl::unavailable(posted.error(), waiting_max_));
  }

  const StoreId id_ = StoreId::random();
  const std::size_t waiting_max_;
  Tables tables_;
  impl::BatchWorker<Job> worker_;  // last: its thread uses the tables
};

}  // namespace

std::unique_ptr<ReportStore> make_memory_store(StoreOptions options) {
  return std::make_unique<MemoryStore>(std::move(options));
}

}  // namespace rillgate::reports
