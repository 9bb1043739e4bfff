#include "reports/sqlite/sqlite_store.h"

#include <cassert>
#include <span>
#include <utility>

#include "reports/impl/batch_worker.h"
#include "reports/impl/rules.h"
#include "reports/sqlite/impl/database.h"
#include "reports/sqlite/impl/file_lock.h"
#include "reports/sqlite/impl/schema.h"
#include "reports/sqlite/impl/tables.h"

namespace rillgate::reports {
namespace {

using impl::Database;
using impl::Outcome;
using impl::ReadTables;
using impl::Statement;
using impl::WriteTables;

struct Write {
  std::move_only_function<Outcome<Change>(WriteTables&)> step;
  Done<Change> done;
};

/// The writing connection. Runs on the writer's thread once that has begun.
class Writer {
 public:
  Writer(Database database, WallClock clock)
      : database_(std::move(database)),
        begin_(database_, "BEGIN IMMEDIATE"),
        commit_(database_, "COMMIT"),
        tables_(database_, std::move(clock)) {}

  /// One transaction for all of `writes`. Each refusal was judged by what the writes before it made of the reports, so
  /// when the commit fails the refused end as Unavailable too.
  void run(std::span<Write> writes) {
    std::vector<Outcome<Change>> outcomes;
    outcomes.reserve(writes.size());
    begin_.execute();
    for (Write& write : writes) outcomes.push_back(write.step(tables_));
    commit_.execute();

    const auto failure = database_.take_failure();
    if (failure) database_.rollback();
    if (failure && impl::is_damage(*failure) && writes.size() > 1) {
      // One user's damaged rows are no reason to refuse the others.
      for (std::size_t i = 0; i < writes.size(); ++i) run(writes.subspan(i, 1));
      return;
    }
    for (std::size_t i = 0; i < writes.size(); ++i) {
      if (failure) outcomes[i] = std::unexpected(impl::unavailable(*failure));
      writes[i].done(std::move(outcomes[i]));
    }
    database_.checkpoint_if_due();  // after the answers: it takes two syncs of its own
  }

  [[nodiscard]] std::optional<impl::Failure> take_failure() { return database_.take_failure(); }

 private:
  Database database_;
  Statement begin_;
  Statement commit_;
  WriteTables tables_;
};

/// The reading connection. Runs on the reader's thread once that has begun.
class Reader {
 public:
  Reader(Database database, const StoreOptions& options)
      : database_(std::move(database)),
        begin_(database_, "BEGIN"),
        commit_(database_, "COMMIT"),
        tables_(database_, options.clock, options.keep) {}

  /// What `query` makes of one state of the file.
  template <class Query>
  auto run(Query& query) -> decltype(query(std::declval<ReadTables&>())) {
    begin_.execute();
    auto outcome = query(tables_);
    commit_.execute();
    if (const auto failure = database_.take_failure()) {
      database_.rollback();
      return std::unexpected(impl::unavailable(*failure));
    }
    return outcome;
  }

  [[nodiscard]] std::optional<impl::Failure> take_failure() { return database_.take_failure(); }

 private:
  Database database_;
  Statement begin_;
  Statement commit_;
  ReadTables tables_;
};

class SqliteStore final : public ReportStore {
 public:
  SqliteStore(impl::FileLock lock, StoreId id, Database writing, Database reading, const StoreOptions& options)
      : lock_(std::move(lock)),
        id_(std::move(id)),
        waiting_max_(options.waiting_max),
        writer_(std::move(writing), options.clock),
        reader_(std::move(reading), options),
        writing_(options.waiting_max, [this](std::vector<Write>& writes) { writer_.run(writes); }),
        reading_(options.waiting_max, [this](std::vector<Read>& reads) {
          for (Read& read : reads) read(&reader_, {});
        }) {}
  ~SqliteStore() override { stop(); }

  /// Whether a statement could not be prepared. Before the first request.
  [[nodiscard]] std::optional<impl::Failure> opening_failure() {
    auto failure = writer_.take_failure();
    return failure ? failure : reader_.take_failure();
  }

  [[nodiscard]] const StoreId* id() const override { return &id_; }

  void create(const UserId& user, std::optional<IdempotencyKey> key, Done<Change> done) override {
    write({[user, key = std::move(key)](WriteTables& tables) { return tables.create(user, key); }, std::move(done)});
  }
  void change(ChangeRequest request, Done<Change> done) override {
    write({[request = std::move(request)](WriteTables& tables) { return tables.change(request); }, std::move(done)});
  }
  void get(const UserId& user, const ReportId& report, Done<Report> done) override {
    read(std::move(done), [user, report](ReadTables& tables) { return tables.get(user, report); });
  }
  void list(const ListRequest& request, Done<ReportPage> done) override {
    assert(request.limit >= 1 && request.limit <= ListRequest::kLimitMax);
    read(std::move(done), [request](ReadTables& tables) { return tables.list(request); });
  }
  void history(const UserId& user, const ReportId& report, Done<std::vector<HistoryEntry>> done) override {
    read(std::move(done), [user, report](ReadTables& tables) { return tables.history(user, report); });
  }
  void events_after(const EventsRequest& request, Done<EventPage> done) override {
    assert(request.limit >= 1 && request.limit <= EventsRequest::kLimitMax);
    read(std::move(done), [request](ReadTables& tables) { return tables.events_after(request); });
  }
  void newest_seq(const UserId& user, Done<EventSeq> done) override {
    read(std::move(done), [user](ReadTables& tables) { return tables.newest_seq(user); });
  }
  void probe(Done<void> done) override {
    write({[](WriteTables& tables) -> Outcome<Change> {
             tables.probe();
             return Change{};
           },
           [done = std::move(done)](std::expected<Change, ReportError> probed) mutable {
             if (!probed) return done(std::unexpected(std::move(probed.error())));
             done({});
           }});
  }

  void close() override { stop(); }

 private:
  /// Gets the reader, or none and why.
  using Read = std::move_only_function<void(Reader*, Unavailable refused)>;

  void write(Write write) {
    if (const auto posted = writing_.post(write); !posted) {
      write.done(std::unexpected(impl::unavailable(posted.error(), waiting_max_)));
    }
  }

  template <class Result, class Query>
  void read(Done<Result> done, Query query) {
    Read job = [done = std::move(done), query](Reader* reader, Unavailable refused) mutable {
      if (reader == nullptr) return done(std::unexpected(std::move(refused)));
      done(reader->run(query));
    };
    if (const auto posted = reading_.post(job); !posted) {
      job(nullptr, impl::unavailable(posted.error(), waiting_max_));
    }
  }

  void stop() {
    writing_.close();  // first: its callbacks may still read
    reading_.close();
  }

  // The order is that of need: the lock outlives the connections, they outlive the threads.
  impl::FileLock lock_;
  const StoreId id_;
  const std::size_t waiting_max_;
  Writer writer_;
  Reader reader_;
  impl::BatchWorker<Write> writing_;
  impl::BatchWorker<Read> reading_;
};

std::expected<std::unique_ptr<ReportStore>, Error> open(const std::filesystem::path& file,
                                                        const StoreOptions& options) {
  const auto error_of = [](const impl::Failure& failure) { return std::unexpected(impl::open_error(failure)); };

  auto lock = impl::FileLock::take(file);
  if (!lock) return std::unexpected(lock.error());
  auto writing = Database::open(file);
  if (!writing) return error_of(writing.error());
  if (auto prepared = impl::prepare_schema(*writing, impl::migrations()); !prepared) {
    return std::unexpected(std::move(prepared.error()));
  }
  auto id = impl::read_store_id(*writing);
  if (!id) return std::unexpected(id.error());
  auto reading = Database::open(file);
  if (!reading) return error_of(reading.error());

  auto store = std::make_unique<SqliteStore>(*std::move(lock), *std::move(id), *std::move(writing), *std::move(reading),
                                             options);
  if (const auto failure = store->opening_failure()) return error_of(*failure);
  return store;
}

}  // namespace

std::expected<std::unique_ptr<ReportStore>, Error> open_sqlite_store(const std::filesystem::path& file,
                                                                     const StoreOptions& options) {
  auto store = open(file, options);
  if (!store)
    return std::unexpected(Error{"store sqlite:" + file.string() + " cannot be opened: " + store.error().what});
  return store;
}

}  // namespace rillgate::reports
