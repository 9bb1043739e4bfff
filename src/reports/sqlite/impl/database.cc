#include "reports/sqlite/impl/database.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace rillgate::reports::impl {
namespace {

/// How long to wait for another program (a backup, a shell) that holds the file.
constexpr int kLockWaitMs = 1000;

/// Of the call that has just returned `code`.
Failure failure_of(int code, sqlite3* db) {
  const int primary = code & 0xff;
  const bool is_from_system = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
  // Not sqlite3_system_errno(): it knows nothing of commits, and keeps the errno of an earlier failure.
  return {code, is_from_system ? errno : 0, sqlite3_errmsg(db)};
}

}  // namespace

void Database::State::fail(int code) {
  fail(failure_of(code, db.get()));
}

std::expected<Database, Failure> Database::open(const std::filesystem::path& file) {
  sqlite3* db = nullptr;
  // No mutex: one thread at a time is our promise.
  const int code = sqlite3_open_v2(
      file.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  auto state = std::make_unique<State>();
  state->db.reset(db);  // SQLite hands out a connection to close even when it failed
  if (code != SQLITE_OK) return std::unexpected(failure_of(code, db));
  // SQLite falls back to reading where it may not write, and would refuse each change later.
  if (sqlite3_db_readonly(db, "main") == 1) return std::unexpected(Failure{SQLITE_READONLY, 0, "read-only"});

  sqlite3_busy_timeout(db, kLockWaitMs);
  // Also turns off the checkpoint within a commit: the writer does it after it has answered.
  sqlite3_wal_hook(
      db,
      [](void* hooked, sqlite3*, const char*, int pages) {
        static_cast<State*>(hooked)->log_pages = pages;
        return SQLITE_OK;
      },
      state.get());
  return Database(std::move(state));
}

void Database::execute(const char* sql) {
  if (failed()) return;
  const int code = sqlite3_exec(state_->db.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) state_->fail(code);
}

std::int64_t Database::number(const char* sql) {
  Statement statement(*this, sql);
  Rows rows = statement.run();
  return rows.next() ? rows.integer(0) : 0;
}

std::optional<Failure> Database::take_failure() {
  return std::exchange(state_->failure, std::nullopt);
}

void Database::rollback() {
  if (sqlite3_get_autocommit(state_->db.get()) == 0) {
    sqlite3_exec(state_->db.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Database::checkpoint_if_due() {
  if (state_->log_pages < kLogPages) return;
  sqlite3_wal_checkpoint_v2(state_->db.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

Statement::Statement(Database& database, const char* sql) : database_(database.state_.get()) {
  if (database.failed()) return;
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database_->db.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) database_->fail(code);
}

void Statement::bind(int parameter, std::int64_t value) {
  sqlite3_bind_int64(statement_.get(), parameter, value);
}

void Statement::bind(int parameter, std::string_view value) {
  sqlite3_bind_text64(statement_.get(), parameter, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void Statement::bind(int parameter, const Uuid& value) {
  sqlite3_bind_blob64(statement_.get(), parameter, value.bytes.data(), value.bytes.size(), SQLITE_TRANSIENT);
}

bool Rows::next() {
  if (database_.failure) return false;
  errno = 0;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail(code);
  return false;
}

std::string_view Rows::text(int column) {
  const auto* const bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Status Rows::status(int column) {
  const auto status = parse_status(text(column));
  if (!status) damaged("a status that is none");
  return status.value_or(kFirstStatus);
}

ReportId Rows::report_id(int column) {
  ReportId id;
  const void* const blob = sqlite3_column_blob(statement_, column);
  if (static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)) == id.bytes.size()) {
    std::memcpy(id.bytes.data(), blob, id.bytes.size());
  } else {
    damaged("an id that is none");
  }
  return id;
}

bool is_damage(const Failure& failure) {
  const int primary = failure.code & 0xff;
  return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
}

Unavailable unavailable(const Failure& failure) {
  const std::string detail =
      failure.system_error == 0 ? failure.message : failure.message + ", " + std::strerror(failure.system_error);
  switch (failure.system_error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:  // a limit on the process or of the file system
      return {"its disk is full", true};
    default:
      break;
  }
  if (is_damage(failure)) return {"its file is damaged (" + detail + ")", false};
  switch (failure.code & 0xff) {  // the primary code
    case SQLITE_FULL:
      return {"its disk is full", true};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {"another program has locked its file", true};
    case SQLITE_CANTOPEN:
      return {"its file cannot be opened (" + detail + ")", true};
    case SQLITE_IOERR:
      return {"its disk fails (" + detail + ")", true};
    case SQLITE_READONLY:
      return {"its file may only be read", true};
    case SQLITE_NOMEM:
      return {"it has no memory left", true};
    default:
      return {"its database fails (" + detail + ")", false};
  }
}

}  // namespace rillgate::reports::impl
