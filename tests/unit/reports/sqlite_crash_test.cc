// A process that is killed at random moments under load: what it reported as made is there afterwards, once, and what
// it refused is not. RILLGATE_KILLS says how often (default 5).

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "reports/sqlite/sqlite_store.h"
#include "unit/reports/support.h"

namespace rillgate::reports::testing {
namespace {

constexpr std::size_t kUsers = 4;
constexpr std::size_t kChains = 32;

UserId user_of(std::size_t chain) {
  return user_number(static_cast<std::uint8_t>(chain % kUsers));
}

/// What the child tells, in one write to the pipe after each answer of the store.
struct Answer {
  std::uint32_t chain = 0;
  ReportId report;
  bool is_made = false;
  Version version{};  // after the change
  Status status{};
};

/// One report after the other, each changed at random for a while; the next request follows from the answer to the
/// last. So at most one change of a report is under way when the process dies.
class Chain {
 public:
  Chain(ReportStore& store, std::uint32_t number, unsigned seed, int pipe)
      : store_(store), number_(number), random_(seed), pipe_(pipe) {}

  void begin() {
    store_.create(user_of(number_), std::nullopt, [this](std::expected<Change, ReportError> change) {
      if (!change) return;  // closing
      report_ = change->report;
      tell(true);
      go_on();
    });
  }

 private:
  void go_on() {
    if (random_() % 50 == 0) return begin();
    ChangeRequest request{.user = report_.user, .report = report_.id, .to = kStatuses[random_() % kStatuses.size()]};
    if (random_() % 8 == 0) request.if_version = next(report_.version);  // never right
    store_.change(std::move(request), [this](std::expected<Change, ReportError> change) {
      if (change) report_ = change->report;
      tell(change.has_value());
      go_on();
    });
  }
  void tell(bool is_made) const {
    const Answer answer{number_, report_.id, is_made, report_.version, report_.status};
    if (write(pipe_, &answer, sizeof answer) != sizeof answer) _exit(2);
  }

  ReportStore& store_;
  const std::uint32_t number_;
  std::minstd_rand random_;
  const int pipe_;
  Report report_;
};

[[noreturn]] void work_until_killed(const std::filesystem::path& file, unsigned seed, int pipe) {
  auto store = open_sqlite_store(file, {});
  if (!store) _exit(1);
  std::vector<std::unique_ptr<Chain>> chains;
  for (std::uint32_t n = 0; n < kChains; ++n) {
    chains.push_back(std::make_unique<Chain>(**store, n, seed * kChains + n, pipe));
    chains.back()->begin();
  }
  for (;;) pause();
}

/// For each report, the changes that were reported as made.
using Made = std::map<std::pair<UserId, ReportId>, std::vector<Status>>;

void run_and_kill(const std::filesystem::path& file, unsigned seed, Made& made) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(ends[0]);
    work_until_killed(file, seed, ends[1]);
  }
  close(ends[1]);

  std::minstd_rand random(seed);
  const std::uint64_t answers_to_kill = random() % 4000;  // 0: while it opens the file
  if (answers_to_kill == 0) kill(child, SIGKILL);
  std::uint64_t answers = 0;
  Answer answer;
  while (read(ends[0], &answer, sizeof answer) == sizeof answer) {
    ++answers;
    if (answers == answers_to_kill) kill(child, SIGKILL);
    if (!answer.is_made) continue;
    auto& steps = made[{user_of(answer.chain), answer.report}];
    ASSERT_EQ(value(answer.version), steps.size() + 1);
    steps.push_back(answer.status);
  }
  close(ends[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself, status " << status;
}

void verify(const std::filesystem::path& file, const Made& made) {
  const auto store = open_sqlite_store(file, {}).value();
  Blocking calls(*store);
  std::map<std::pair<UserId, ReportId>, std::vector<HistoryEntry>> kept;
  for (std::size_t n = 0; n < kUsers; ++n) {
    // The events, as a watcher gets them who resumes: each once, without holes, and each change among them once.
    std::uint64_t seq = 0;
    for (const ReportEvent& event : calls.all_events(user_of(n))) {
      ASSERT_EQ(value(event.seq), ++seq);
      auto& history = kept[{user_of(n), event.report}];
      if (history.empty()) history = calls.history(user_of(n), event.report).value();
      ASSERT_LE(value(event.version), history.size());
      ASSERT_EQ(history[value(event.version) - 1].to, event.status);
    }
    std::uint64_t changes = 0;
    for (const auto& [report, history] : kept) changes += report.first == user_of(n) ? history.size() : 0;
    ASSERT_EQ(changes, seq);
  }
  for (const auto& [report, history] : kept) {
    expect_legal_walk(history);
    ASSERT_EQ(calls.get(report.first, report.second)->status, history.back().to);
    const auto steps = made.find(report);
    // What is more than the answers tell of is the one change that was under way.
    ASSERT_LE(history.size(), 1 + (steps == made.end() ? 0 : steps->second.size()));
  }
  for (const auto& [report, steps] : made) {
    const auto& history = kept[report];
    ASSERT_GE(history.size(), steps.size()) << "a change that was reported as made is lost";
    for (std::size_t i = 0; i < steps.size(); ++i) ASSERT_EQ(history[i].to, steps[i]);
  }
}

TEST(SqliteStoreProcess, KeepsWhatItReportedAsMadeThroughKillsAtRandomMoments) {
  const char* const wish = std::getenv("RILLGATE_KILLS");
  const int kills = wish != nullptr ? std::atoi(wish) : 5;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  TemporaryDirectory directory;
  Made made;
  for (int i = 0; i < kills && !HasFatalFailure(); ++i) {
    run_and_kill(directory.path() / "reports.db", seed + static_cast<unsigned>(i), made);
    if (!HasFatalFailure()) verify(directory.path() / "reports.db", made);
  }
}

}  // namespace
}  // namespace rillgate::reports::testing
