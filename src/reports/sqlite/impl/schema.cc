#include "reports/sqlite/impl/schema.h"

#include <array>

namespace rillgate::reports::impl {
namespace {

/// "Rill" in ASCII: says in the file's header whose database it is.
constexpr std::int64_t kApplicationId = 0x5269'6c6c;

// Times are milliseconds since 1970, UTC; ids of users and reports are 16 bytes; a status is its name.
// `changes` has a row for each change: the user's event and the report's line of history are the same row, so they
// cannot differ. Its rows are never deleted; `reports.keep` is applied when events are read.
constexpr std::array<const char*, 1> kMigrations{R"sql(
  CREATE TABLE store (id TEXT NOT NULL) STRICT;
  INSERT INTO store VALUES (lower(hex(randomblob(4))));

  CREATE TABLE reports (
    user       BLOB NOT NULL,
    report     BLOB NOT NULL,
    status     TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (user, report)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE changes (
    user      BLOB NOT NULL,
    seq       INTEGER NOT NULL,
    report    BLOB NOT NULL,
    version   INTEGER NOT NULL,
    status    TEXT NOT NULL,
    at        INTEGER NOT NULL,
    topic     TEXT,
    partition INTEGER,
    record    INTEGER,
    PRIMARY KEY (user, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX changes_by_report ON changes (user, report, version);
  CREATE UNIQUE INDEX changes_by_source ON changes (topic, partition, record) WHERE topic IS NOT NULL;

  CREATE TABLE idempotency_keys (
    made    INTEGER PRIMARY KEY,
    user    BLOB NOT NULL,
    key     TEXT NOT NULL,
    report  BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    UNIQUE (user, key)
  ) STRICT;

  PRAGMA application_id = 0x52696c6c;
)sql"};

std::expected<void, Error> check_origin(Database& database, std::int64_t version, std::int64_t newest_known) {
  const std::int64_t application = database.number("PRAGMA application_id");
  const std::int64_t objects = database.number("SELECT count(*) FROM sqlite_schema");
  if (const auto failure = database.take_failure()) return std::unexpected(open_error(*failure));
  const bool is_empty = application == 0 && version == 0 && objects == 0;
  if (!is_empty && application != kApplicationId) {
    return std::unexpected(Error{"it is the database of another program"});
  }
  if (version > newest_known) {
    return std::unexpected(Error{"it was written by a newer Rillgate (its schema has version " +
                                 std::to_string(version) + ", this program knows versions up to " +
                                 std::to_string(newest_known) + ")"});
  }
  return {};
}

void configure(Database& database) {
  {
    // Readers and the writer do not hold each other up.
    Statement statement(database, "PRAGMA journal_mode = WAL");
    Rows rows = statement.run();
    if (rows.next() && rows.text(0) != "wal")
      database.fail("its file system has no shared memory, which the log needs");
  }
  // Each commit syncs the log; without FULL the last ones would be lost with the machine.
  database.execute("PRAGMA synchronous = FULL");
  // A long reader (a backup) lets the log grow; this gives the room back after it.
  const int log_bytes = Database::kLogPages * 4096;
  database.execute(("PRAGMA journal_size_limit = " + std::to_string(log_bytes)).c_str());
}

}  // namespace

std::span<const char* const> migrations() {
  return kMigrations;
}

std::expected<void, Error> prepare_schema(Database& database, std::span<const char* const> scripts) {
  std::int64_t version = database.number("PRAGMA user_version");
  const auto newest = static_cast<std::int64_t>(scripts.size());
  if (const auto ours = check_origin(database, version, newest); !ours) return ours;

  configure(database);
  for (; version < newest && !database.failed(); ++version) {
    database.execute("BEGIN IMMEDIATE");
    database.execute(scripts[version]);
    database.execute(("PRAGMA user_version = " + std::to_string(version + 1)).c_str());
    database.execute("COMMIT");
  }
  if (const auto failure = database.take_failure()) {
    database.rollback();
    return std::unexpected(open_error(*failure));
  }
  return {};
}

std::expected<StoreId, Error> read_store_id(Database& database) {
  std::string text;
  {
    Statement statement(database, "SELECT id FROM store");
    Rows rows = statement.run();
    if (rows.next()) text = rows.text(0);
  }
  if (const auto failure = database.take_failure()) return std::unexpected(open_error(*failure));
  return StoreId::parse(text);
}

Error open_error(const Failure& failure) {
  if ((failure.code & 0xff) == SQLITE_NOTADB) return {"it is not an SQLite database"};
  return {unavailable(failure).reason};
}

}  // namespace rillgate::reports::impl
