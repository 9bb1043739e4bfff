#include "reports/report_service.h"

#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <random>
#include <thread>

#include "unit/reports/support.h"

namespace rillgate::reports::testing {
namespace {

/// Notes events without a lock for each user: the thread sanitizer sees it when a store calls back for one user twice
/// at once.
class Notebook : public ReportListener {
 public:
  explicit Notebook(std::size_t users) {
    for (std::size_t n = 0; n < users; ++n) events_[user_number(static_cast<std::uint8_t>(n))];
  }
  void on_event(const UserId& user, const ReportEvent& event) override { events_.at(user).push_back(event); }
  [[nodiscard]] const std::vector<ReportEvent>& events(const UserId& user) const { return events_.at(user); }

 private:
  std::map<UserId, std::vector<ReportEvent>> events_;
};

class EveryService : public ::testing::TestWithParam<StoreKind> {
 protected:
  TemporaryDirectory directory;
  std::unique_ptr<ReportStore> store = GetParam().open(directory.path(), {});
};

INSTANTIATE_TEST_SUITE_P(Store, EveryService, ::testing::ValuesIn(store_kinds()),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(EveryService, AnnouncesEveryChangeOnceAndInTheOrderOfItsNumbers) {
  constexpr std::size_t kUsers = 3;
  constexpr int kThreads = 16;
  constexpr int kChangesEach = 150;
  Notebook notebook(kUsers);
  ReportService service(*store, notebook);

  std::vector<Report> reports;
  for (std::size_t n = 0; n < kUsers; ++n) {
    const auto user = user_number(static_cast<std::uint8_t>(n));
    reports.push_back(wait<Change>([&](auto done) { service.create(user, std::nullopt, std::move(done)); })->report);
  }
  std::atomic<std::size_t> made{kUsers};
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (unsigned t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        std::minstd_rand random(t + 1);
        for (int i = 0; i < kChangesEach; ++i) {
          const Report& report = reports[random() % kUsers];
          const Status to = kStatuses[random() % kStatuses.size()];
          const auto change = wait<Change>([&](auto done) {
            service.change({.user = report.user, .report = report.id, .to = to}, std::move(done));
          });
          if (change) ++made;
        }
      });
    }
  }
  std::size_t announced = 0;
  for (const Report& report : reports) {
    announced += notebook.events(report.user).size();
    EXPECT_EQ(notebook.events(report.user), Blocking(*store).all_events(report.user));
  }
  EXPECT_EQ(announced, made);
}

TEST_P(EveryService, AnnouncesAChangeBeforeItsCallerLearnsOfIt) {
  Notebook notebook(1);
  ReportService service(*store, notebook);
  const auto announced = wait<std::size_t>([&](Done<std::size_t> done) {
    service.create(user_number(0), std::nullopt,
                   [&, done = std::move(done)](const auto&) mutable { done(notebook.events(user_number(0)).size()); });
  });
  EXPECT_EQ(announced, 1U);
}

TEST_P(EveryService, AnnouncesNeitherRefusalsNorRepeats) {
  Notebook notebook(1);
  ReportService service(*store, notebook);
  const UserId user = user_number(0);
  const auto create = [&] {
    return wait<Change>([&](auto done) { service.create(user, key("once"), std::move(done)); }).value();
  };
  const Report report = create().report;
  EXPECT_EQ(create().report, report);
  EXPECT_FALSE(wait<Change>([&](auto done) {
    service.change({.user = user, .report = report.id, .to = Status::kCompleted}, std::move(done));
  }));
  EXPECT_EQ(notebook.events(user).size(), 1U);
}

}  // namespace
}  // namespace rillgate::reports::testing
