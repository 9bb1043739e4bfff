// SQLite, enclosed: the only header of ours that names its types.
//
// Statements do not return errors one by one. The first failure is kept by the Database, and from then on its
// statements do nothing and have no rows, until whoever ends the transaction takes the failure and rolls back. So the
// operations read from top to bottom, and no decision that was made on missing rows can get out.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "reports/ids.h"
#include "reports/report.h"
#include "reports/report_error.h"
#include "reports/status.h"

namespace rillgate::reports::impl {

struct Failure {
  int code = SQLITE_OK;  // SQLite's, extended
  int system_error = 0;  // errno of the call that failed, 0 if it was none
  std::string message;   // SQLite's
};

/// A connection; one thread at a time. Statements must be gone before it is.
class Database {
 public:
  /// Makes the file when there is none. Fails on a file that may only be read.
  [[nodiscard]] static std::expected<Database, Failure> open(const std::filesystem::path& file);

  /// Statements without parameters and results, joined by `;`.
  void execute(const char* sql);
  /// The number in the first column of the first row.
  [[nodiscard]] std::int64_t number(const char* sql);

  [[nodiscard]] bool failed() const { return state_->failure.has_value(); }
  /// The failure since the last call, if there was one. Statements work again.
  [[nodiscard]] std::optional<Failure> take_failure();
  /// Keeps a failure that SQLite does not know of.
  void fail(std::string message) { state_->fail({SQLITE_ERROR, 0, std::move(message)}); }
  /// Undoes the transaction, if one is open; SQLite may have done it itself.
  void rollback();

  /// Copies the write-ahead log into the file when it has grown to kLogPages, as far as no reader still needs it; the
  /// next commit then begins it anew. Syncs. That it does not succeed harms nothing but the log's size.
  void checkpoint_if_due();

  /// 4 MiB, as much as is read again at the next start after a crash.
  static constexpr int kLogPages = 1000;

 private:
  friend class Rows;
  friend class Statement;
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close(db); }
  };
  /// Has one address for life, since statements and SQLite's hook point to it.
  struct State {
    std::unique_ptr<sqlite3, Close> db;
    std::optional<Failure> failure;
    int log_pages = 0;  // after the last commit

    void fail(int code);
    void fail(Failure what) {
      if (!failure) failure = std::move(what);  // what follows the first one is its consequence
    }
  };

  explicit Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
  std::unique_ptr<State> state_;
};

/// The rows of one execution. The statement is reset when this dies, which also ends its hold on the database.
class Rows {
 public:
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows() { sqlite3_reset(statement_); }

  /// Moves to the next row, at first to the first. False: there is none, or something failed.
  bool next();

  // Columns count from 0 and are valid until next(). A value that cannot be what it should be is a damaged file.
  [[nodiscard]] std::int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] Version version(int column) { return Version{static_cast<std::uint64_t>(integer(column))}; }
  [[nodiscard]] EventSeq seq(int column) { return EventSeq{static_cast<std::uint64_t>(integer(column))}; }
  [[nodiscard]] Time time(int column) { return Time(std::chrono::milliseconds(integer(column))); }
  [[nodiscard]] std::string_view text(int column);
  [[nodiscard]] Status status(int column);
  [[nodiscard]] ReportId report_id(int column);

 private:
  friend class Statement;
  Rows(sqlite3_stmt* statement, Database::State& database) : statement_(statement), database_(database) {}
  void damaged(const char* what) { database_.fail({SQLITE_CORRUPT, 0, what}); }

  sqlite3_stmt* statement_;
  Database::State& database_;
};

/// Prepared once, run often.
class Statement {
 public:
  Statement(Database& database, const char* sql);

  /// Binds `values` to the parameters, in order.
  template <class... Values>
  [[nodiscard]] Rows run(const Values&... values) {
    int parameter = 0;
    (bind(++parameter, values), ...);
    return Rows(statement_.get(), *database_);
  }
  /// Runs a statement without results.
  template <class... Values>
  void execute(const Values&... values) {
    Rows rows = run(values...);
    rows.next();
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  void bind(int parameter, std::int64_t value);
  void bind(int parameter, std::string_view value);
  void bind(int parameter, const Uuid& value);
  void bind(int parameter, Version value) { bind(parameter, static_cast<std::int64_t>(value)); }
  void bind(int parameter, EventSeq value) { bind(parameter, static_cast<std::int64_t>(value)); }
  void bind(int parameter, Status value) { bind(parameter, name(value)); }
  void bind(int parameter, Time value) { bind(parameter, std::int64_t{value.time_since_epoch().count()}); }
  template <class Value>
  void bind(int parameter, const std::optional<Value>& value) {
    if (value)
      bind(parameter, *value);
    else
      sqlite3_bind_null(statement_.get(), parameter);
  }

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  Database::State* database_;
};

/// Whether the failure lies in what the file holds, and so strikes only who asks for that.
[[nodiscard]] bool is_damage(const Failure& failure);

/// What a failure means to who asks the store; says no path.
[[nodiscard]] Unavailable unavailable(const Failure& failure);

}  // namespace rillgate::reports::impl
