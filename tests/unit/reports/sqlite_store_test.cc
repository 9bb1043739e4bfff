// What the suite cannot ask of every store: the file, and what can happen to it.

#include "reports/sqlite/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <latch>
#include <thread>

#include "reports/memory/memory_store.h"
#include "reports/sqlite/impl/schema.h"
#include "unit/reports/support.h"

namespace rillgate::reports::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

const UserId kAnn = user_number(1);

class SqliteStoreFile : public ::testing::Test {
 protected:
  std::unique_ptr<ReportStore> open() {
    auto store = open_sqlite_store(file(), {.clock = clock.clock()});
    if (!store) ADD_FAILURE() << store.error().what;
    return *std::move(store);
  }
  /// Why it cannot be opened; empty if it can.
  std::string refusal() { return refusal_of(file()); }
  static std::string refusal_of(const std::filesystem::path& path) {
    const auto store = open_sqlite_store(path, {});
    return store ? "" : store.error().what;
  }
  [[nodiscard]] std::filesystem::path file() const { return directory.path() / "reports.db"; }

  /// Something that only another program would do to the file.
  void tamper(const char* sql) { tamper(file(), sql); }
  static void tamper(const std::filesystem::path& path, const char* sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  TemporaryDirectory directory;
  ManualClock clock;
};

TEST_F(SqliteStoreFile, KeepsEverythingThroughAReopening) {
  auto store = open();
  const StoreId id = *store->id();
  Blocking calls(*store);
  const Report first = calls.create(kAnn, key("first")).value().report;
  const ChangeRequest record{
      .user = kAnn, .report = first.id, .to = Status::kQueued, .source = Source{"updates", 2, 9}};
  ASSERT_TRUE(calls.change(record));
  const Report second = calls.create(kAnn).value().report;
  const auto reports = calls.list({.user = kAnn})->reports;
  const auto events = calls.all_events(kAnn);
  const auto history = calls.history(kAnn, first.id);
  store.reset();

  store = open();
  Blocking again(*store);
  EXPECT_EQ(*store->id(), id);
  EXPECT_EQ(again.list({.user = kAnn})->reports, reports);
  EXPECT_EQ(again.all_events(kAnn), events);
  EXPECT_EQ(again.history(kAnn, first.id), history);
  EXPECT_EQ(again.create(kAnn, key("first"))->report, reports.back()) << "keys survive";
  EXPECT_EQ(again.change(record)->event, std::nullopt) << "sources survive";
  EXPECT_EQ(seq_of(again.change({.user = kAnn, .report = second.id, .to = Status::kCanceled})), EventSeq{4});
}

TEST_F(SqliteStoreFile, LeavesOneFileAndItsLockAfterAClose) {
  ASSERT_TRUE(Blocking(*open()).create(kAnn));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path()))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("reports.db", "reports.db-lock"));
}

TEST(MemoryStore, IsAnotherStoreEachTime) {
  EXPECT_NE(*make_memory_store({})->id(), *make_memory_store({})->id());
}

TEST_F(SqliteStoreFile, RefusesASecondOpenerAndNamesTheFirst) {
  const auto store = open();
  const std::string used = "process " + std::to_string(getpid()) + " uses it; a file serves one process";
  EXPECT_THAT(refusal(), HasSubstr("store sqlite:" + file().string() + " cannot be opened: " + used));
  std::filesystem::create_symlink(file(), directory.path() / "link.db");
  EXPECT_THAT(refusal_of(directory.path() / "link.db"), HasSubstr(used));
  EXPECT_TRUE(Blocking(*store).create(kAnn)) << "the refused opener does no harm";
}

TEST_F(SqliteStoreFile, IsFreeAgainWhenItsProcessIsKilled) {
  std::array<int, 2> opened{};
  ASSERT_EQ(pipe(opened.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto store = open();
    if (store == nullptr || write(opened[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(opened[0], &byte, 1), 1);
  EXPECT_THAT(refusal(), HasSubstr("process " + std::to_string(child) + " uses it"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(refusal(), "");
  close(opened[0]);
  close(opened[1]);
}

TEST_F(SqliteStoreFile, LetsOtherProgramsReadMeanwhile) {
  const auto store = open();
  ASSERT_TRUE(Blocking(*store).create(kAnn));
  tamper(("VACUUM INTO '" + (directory.path() / "backup.db").string() + "'").c_str());
  const auto backup = open_sqlite_store(directory.path() / "backup.db", {}).value();
  EXPECT_EQ(Blocking(*backup).newest_seq(kAnn), EventSeq{1});
}

TEST_F(SqliteStoreFile, RefusesAFileOfANewerVersionAndLeavesItAsItIs) {
  open();
  tamper("PRAGMA user_version = 7");
  EXPECT_THAT(
      refusal(),
      HasSubstr("it was written by a newer Rillgate (its schema has version 7, this program knows versions up to 1)"));
  tamper("PRAGMA user_version = 1");
  EXPECT_EQ(refusal(), "");
}

TEST_F(SqliteStoreFile, RefusesWhatIsNotItsDatabase) {
  std::ofstream(file()) << std::string(10'000, 'x');
  EXPECT_THAT(refusal(), HasSubstr("it is not an SQLite database"));
  std::filesystem::remove(file());
  tamper("CREATE TABLE recipes (name TEXT)");
  EXPECT_THAT(refusal(), HasSubstr("it is the database of another program"));
  std::filesystem::create_directory(directory.path() / "folder");
  EXPECT_THAT(refusal_of(directory.path() / "folder"),
              HasSubstr("its file cannot be opened (unable to open database file, Is a directory)"));
}

TEST_F(SqliteStoreFile, TakesAnEmptyFileAsANewOne) {
  std::ofstream(file()).flush();
  EXPECT_EQ(refusal(), "");
}

TEST_F(SqliteStoreFile, SaysThatItsDirectoryIsMissing) {
  EXPECT_THAT(refusal_of(directory.path() / "no" / "reports.db"),
              ContainsRegex("the directory cannot be written .*No such file or directory"));
}

/// Root may write where nobody may, so as root the test becomes someone else.
class AsNobody {
 public:
  AsNobody() {
    if (was_root_ && seteuid(65534) != 0) std::abort();
  }
  ~AsNobody() {
    if (was_root_ && seteuid(0) != 0) std::abort();
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool was_root_ = geteuid() == 0;
};

TEST_F(SqliteStoreFile, RefusesAFileOrADirectoryThatMayOnlyBeRead) {
  using std::filesystem::perms;
  ASSERT_TRUE(Blocking(*open()).create(kAnn));
  std::filesystem::permissions(directory.path(), perms::all);
  std::filesystem::permissions(file().string() + "-lock", perms::all);
  std::filesystem::permissions(file(), perms::owner_read | perms::group_read | perms::others_read);
  {
    const AsNobody nobody;
    EXPECT_THAT(refusal(), HasSubstr("its file may only be read"));
  }
  std::filesystem::remove(file().string() + "-lock");
  std::filesystem::permissions(directory.path(),
                               perms::owner_read | perms::owner_exec | perms::others_read | perms::others_exec);
  {
    const AsNobody nobody;
    EXPECT_THAT(refusal(), ContainsRegex("the directory cannot be written .*Permission denied"));
  }
  std::filesystem::permissions(directory.path(), perms::all);
}

TEST_F(SqliteStoreFile, SaysThatItIsDamagedAndLivesOn) {
  auto store = open();
  const Report report = Blocking(*store).create(kAnn).value().report;
  const Report sound = Blocking(*store).create(kAnn).value().report;
  store.reset();
  tamper(("UPDATE reports SET status = 'lost' WHERE hex(report) = upper(replace('" + report.id.text() + "', '-', ''))")
             .c_str());

  store = open();
  Blocking calls(*store);
  const ReportError damaged = Unavailable{"its file is damaged (a status that is none)", false};
  EXPECT_EQ(calls.get(kAnn, report.id).error(), damaged);
  EXPECT_EQ(calls.list({.user = kAnn}).error(), damaged);
  EXPECT_EQ(calls.change({.user = kAnn, .report = report.id, .to = Status::kQueued}).error(), damaged);

  // In one transaction with it, a sound report's change passes.
  std::latch held(1);
  std::latch release(1);
  store->create(user_number(2), std::nullopt, [&](const auto&) {
    held.count_down();
    release.wait();
  });
  held.wait();
  std::vector<std::expected<Change, ReportError>> results;
  for (const ReportId& id : {report.id, sound.id, report.id}) {
    store->change({.user = kAnn, .report = id, .to = Status::kQueued},
                  [&results](auto result) { results.push_back(std::move(result)); });
  }
  release.count_down();
  store->close();
  EXPECT_EQ(results.at(0).error(), damaged);
  EXPECT_EQ(results.at(1)->report.status, Status::kQueued);
  EXPECT_EQ(results.at(2).error(), damaged);
}

TEST_F(SqliteStoreFile, SaysThatAnotherProgramHoldsTheFileAndGoesOnAfterIt) {
  const auto store = open();
  Blocking calls(*store);
  const Report report = calls.create(kAnn).value().report;
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const ChangeRequest request{.user = kAnn, .report = report.id, .to = Status::kQueued};
  EXPECT_EQ(calls.change(request).error(), ReportError(Unavailable{"another program has locked its file", true}));
  EXPECT_EQ(calls.get(kAnn, report.id), report) << "reading goes on";
  sqlite3_close(other);
  EXPECT_TRUE(calls.change(request));
}

TEST(SqliteFailures, TellTheReasonAndWhetherToTryAgain) {
  const auto told = [](int code, int system_error) { return impl::unavailable({code, system_error, "message"}); };
  EXPECT_EQ(told(SQLITE_FULL, 0), (Unavailable{"its disk is full", true}));
  EXPECT_EQ(told(SQLITE_IOERR_SHMSIZE, ENOSPC), (Unavailable{"its disk is full", true}));
  EXPECT_EQ(told(SQLITE_IOERR_FSYNC, EIO), (Unavailable{"its disk fails (message, Input/output error)", true}));
  EXPECT_EQ(told(SQLITE_READONLY_DBMOVED, 0), (Unavailable{"its file may only be read", true}));
  EXPECT_EQ(told(SQLITE_CORRUPT_INDEX, 0), (Unavailable{"its file is damaged (message)", false}));
  EXPECT_EQ(told(SQLITE_ERROR, 0), (Unavailable{"its database fails (message)", false}));
}

TEST_F(SqliteStoreFile, ReadsWhileTheWriterIsHeldUp) {
  std::latch release(1);
  const auto store = open();
  store->create(kAnn, std::nullopt, [&release](const auto&) { release.wait(); });
  // The change above is committed, its callback holds the writer's thread.
  while (Blocking(*store).newest_seq(kAnn) != EventSeq{1}) std::this_thread::yield();
  release.count_down();
}

TEST_F(SqliteStoreFile, GivesBackTheRoomOfALogThatALongReaderLetGrow) {
  constexpr std::uintmax_t kLogBytes = 5U << 20;
  const auto store = open();
  Blocking calls(*store);
  const Report report = calls.create(kAnn).value().report;
  const auto log_bytes = [&] { return std::filesystem::file_size(file().string() + "-wal"); };
  auto change = [&, pending = true]() mutable {
    pending = !pending;
    return calls.change({.user = kAnn, .report = report.id, .to = pending ? Status::kPending : Status::kCanceled});
  };

  sqlite3* backup = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &backup), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(backup, "BEGIN; SELECT * FROM store", nullptr, nullptr, nullptr), SQLITE_OK);
  while (log_bytes() < 2 * kLogBytes) ASSERT_TRUE(change());
  sqlite3_close(backup);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(change());
  EXPECT_LT(log_bytes(), kLogBytes);
}

TEST_F(SqliteStoreFile, MigratesStepByStepAndUndoesAStepThatFails) {
  using impl::Database;
  auto database = Database::open(file()).value();
  const std::vector<const char*> first{
      "CREATE TABLE a (x); INSERT INTO a VALUES (1); PRAGMA application_id = 0x52696c6c"};
  ASSERT_TRUE(impl::prepare_schema(database, first));
  EXPECT_EQ(database.number("PRAGMA user_version"), 1);

  std::vector<const char*> more{first[0], "UPDATE a SET x = 2", "CREATE TABLE b (x); INSERT INTO none VALUES (1)"};
  const auto failed = impl::prepare_schema(database, more);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().what, HasSubstr("no such table: none"));
  EXPECT_EQ(database.number("PRAGMA user_version"), 2) << "the steps before it stay";
  EXPECT_EQ(database.number("SELECT x FROM a"), 2);
  EXPECT_EQ(database.number("SELECT count(*) FROM sqlite_schema"), 1) << "nothing of the failed step does";

  more[2] = "CREATE TABLE b (x)";
  EXPECT_TRUE(impl::prepare_schema(database, more));
  EXPECT_EQ(database.number("PRAGMA user_version"), 3);
  EXPECT_FALSE(database.failed());
}

/// A directory with room for `kib`: a small tmpfs where the process may mount one (root), else a limit on the size of
/// each file that the process writes.
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path where, rlim_t kib) : path_(std::move(where)) {
    std::filesystem::create_directory(path_);
    is_mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, size(kib).c_str()) == 0;
    if (is_mounted_) return;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    limit_files(kib << 10);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (is_mounted_)
      umount(path_.c_str());
    else
      limit_files(before_.rlim_cur);
  }

  void grow_to(rlim_t kib) {
    if (is_mounted_)
      ASSERT_EQ(mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, size(kib).c_str()), 0);
    else
      limit_files(kib << 10);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  static std::string size(rlim_t kib) { return "size=" + std::to_string(kib) + "k"; }
  void limit_files(rlim_t bytes) const {
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }

  std::filesystem::path path_;
  bool is_mounted_ = false;
  rlimit before_{};
};

TEST_F(SqliteStoreFile, SaysThatTheDiskIsFullWritesNothingByHalfAndGoesOnWhenThereIsRoom) {
  SmallDisk disk(directory.path() / "disk", 1024);
  auto store = open_sqlite_store(disk.path() / "reports.db", {}).value();
  Blocking calls(*store);
  const ReportError full = Unavailable{"its disk is full", true};
  std::uint64_t made = 0;
  auto last = calls.create(kAnn);
  for (; last && made < 100'000; last = calls.create(kAnn)) ++made;
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error(), full);

  // Many at once: each is told, none is there by half, and reading goes on.
  constexpr int kRequests = 100;
  std::atomic<int> refused{0};
  std::latch all(kRequests);
  for (int i = 0; i < kRequests; ++i) {
    store->create(kAnn, std::nullopt, [&](const std::expected<Change, ReportError>& change) {
      if (!change && change.error() == full) ++refused;
      all.count_down();
    });
  }
  all.wait();
  EXPECT_EQ(refused, kRequests);
  EXPECT_EQ(calls.newest_seq(kAnn), EventSeq{made});
  EXPECT_EQ(calls.probe(), std::unexpected(full));

  disk.grow_to(16'384);
  EXPECT_TRUE(calls.probe());
  EXPECT_EQ(seq_of(calls.create(kAnn)), EventSeq{made + 1});

  store.reset();
  store = open_sqlite_store(disk.path() / "reports.db", {}).value();
  const auto events = Blocking(*store).all_events(kAnn);
  ASSERT_EQ(events.size(), made + 1);
  for (const ReportEvent& event : events) ASSERT_EQ(Blocking(*store).history(kAnn, event.report)->size(), 1U);
}

TEST_F(SqliteStoreFile, SaysThatTheDiskIsFullWhenItIsMade) {
  const SmallDisk disk(directory.path() / "disk", 16);
  EXPECT_THAT(refusal_of(disk.path() / "reports.db"), HasSubstr("cannot be opened: its disk is full"));
}

}  // namespace
}  // namespace rillgate::reports::testing
