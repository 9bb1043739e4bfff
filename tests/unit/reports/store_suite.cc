// What every store must do. A new kind of store joins in store_kinds.cc.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <random>
#include <ranges>
#include <set>
#include <thread>

#include "unit/reports/support.h"

namespace rillgate::reports::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const UserId kAnn = user_number(1);
const UserId kBob = user_number(2);

class EveryStore : public ::testing::TestWithParam<StoreKind> {
 protected:
  void open() {
    options.clock = clock.clock();
    store_.reset();
    store_ = GetParam().open(directory_.path(), options);
  }
  ReportStore& store() {
    if (!store_) open();
    return *store_;
  }
  Blocking calls() { return Blocking(store()); }

  Report make(const UserId& user = kAnn) { return calls().create(user).value().report; }
  std::expected<Change, ReportError> set(const Report& report, Status to) {
    return calls().change({.user = report.user, .report = report.id, .to = to});
  }
  Report make_in(Status status) {
    Report report = make();
    for (const Status step : way_to(status)) report = set(report, step).value().report;
    return report;
  }

  ManualClock clock;
  StoreOptions options;

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<ReportStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Store, EveryStore, ::testing::ValuesIn(store_kinds()),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(EveryStore, MakesPendingReportsOfVersionOne) {
  const Change change = calls().create(kAnn).value();
  EXPECT_EQ(change.report, (Report{.user = kAnn,
                                   .id = change.report.id,
                                   .status = Status::kPending,
                                   .version = Version{1},
                                   .created_at = clock.now(),
                                   .updated_at = clock.now()}));
  EXPECT_EQ(change.event,
            (ReportEvent{EventSeq{1}, change.report.id, Version{1}, Status::kPending, change.report.created_at}));
  EXPECT_EQ(calls().get(kAnn, change.report.id), change.report);
}

TEST_P(EveryStore, LetsTheEightTransitionsPassAndRefusesTheOtherPairs) {
  int passed = 0;
  for (const Status from : kStatuses) {
    for (const Status to : kStatuses) {
      const Report before = make_in(from);
      clock.advance(std::chrono::milliseconds(5));
      const auto result = set(before, to);
      if (std::ranges::count(kTransitions, Transition{from, to}) == 0) {
        EXPECT_EQ(result.error(), ReportError(NotAllowed{from, to}));
        EXPECT_EQ(calls().get(kAnn, before.id), before);
        continue;
      }
      ++passed;
      ASSERT_TRUE(result) << describe(result.error());
      EXPECT_EQ(result->report.status, to);
      EXPECT_EQ(result->report.version, next(before.version));
      EXPECT_EQ(result->report.created_at, before.created_at);
      EXPECT_EQ(result->report.updated_at, clock.now());
      EXPECT_EQ(calls().get(kAnn, before.id), result->report);
    }
  }
  EXPECT_EQ(passed, 8);
}

TEST_P(EveryStore, DoesNotKnowAnotherUsersReport) {
  const Report report = make(kAnn);
  const ReportError not_found = NotFound{kBob, report.id};
  EXPECT_EQ(calls().get(kBob, report.id).error(), not_found);
  EXPECT_EQ(calls().history(kBob, report.id).error(), not_found);
  EXPECT_EQ(calls().change({.user = kBob, .report = report.id, .to = Status::kQueued}).error(), not_found);
  EXPECT_EQ(calls().get(kAnn, report.id), report);
  EXPECT_EQ(calls().newest_seq(kBob), EventSeq{0});
}

TEST_P(EveryStore, JudgesTheExpectedVersionBeforeTheTable) {
  const Report report = make();
  const auto expecting = [&](Version version, Status to) {
    return calls().change({.user = kAnn, .report = report.id, .to = to, .if_version = version});
  };
  EXPECT_EQ(expecting(Version{2}, Status::kQueued).error(), ReportError(VersionMismatch{Version{2}, Version{1}}));
  EXPECT_EQ(expecting(Version{2}, Status::kFailed).error(), ReportError(VersionMismatch{Version{2}, Version{1}}));
  EXPECT_EQ(expecting(Version{1}, Status::kFailed).error(), ReportError(NotAllowed{Status::kPending, Status::kFailed}));
  EXPECT_EQ(expecting(Version{1}, Status::kQueued)->report.version, Version{2});
}

TEST_P(EveryStore, TellsTheHistoryOfAReportOldestFirst) {
  const Time begin = clock.now();
  const Report report = make();
  clock.advance(std::chrono::milliseconds(10));
  ASSERT_TRUE(set(report, Status::kCanceled));
  make();  // has a history of its own
  clock.advance(std::chrono::milliseconds(10));
  ASSERT_TRUE(set(report, Status::kPending));

  EXPECT_THAT(
      calls().history(kAnn, report.id).value(),
      ElementsAre(
          HistoryEntry{Version{1}, std::nullopt, Status::kPending, begin},
          HistoryEntry{Version{2}, Status::kPending, Status::kCanceled, begin + std::chrono::milliseconds(10)},
          HistoryEntry{Version{3}, Status::kCanceled, Status::kPending, begin + std::chrono::milliseconds(20)}));
}

TEST_P(EveryStore, NumbersAUsersEventsOverAllReportsWithoutHoles) {
  const Report first = make();
  const Report second = make();
  make(kBob);
  EXPECT_FALSE(set(first, Status::kCompleted));  // a refusal takes no number
  ASSERT_TRUE(set(first, Status::kQueued));
  ASSERT_TRUE(set(second, Status::kCanceled));

  const Time now = clock.now();
  const EventPage page = calls().events_after({.user = kAnn, .after = EventSeq{1}, .limit = 2}).value();
  EXPECT_THAT(page.events, ElementsAre(ReportEvent{EventSeq{2}, second.id, Version{1}, Status::kPending, now},
                                       ReportEvent{EventSeq{3}, first.id, Version{2}, Status::kQueued, now}));
  EXPECT_EQ(page.newest, EventSeq{4});
  EXPECT_FALSE(page.trimmed);

  EXPECT_THAT(calls().events_after({.user = kAnn, .after = EventSeq{3}})->events,
              ElementsAre(ReportEvent{EventSeq{4}, second.id, Version{2}, Status::kCanceled, now}));
  EXPECT_THAT(calls().events_after({.user = kAnn, .after = EventSeq{4}})->events, IsEmpty());
  EXPECT_THAT(calls().events_after({.user = kAnn, .after = EventSeq{99}})->events, IsEmpty());
  EXPECT_EQ(calls().newest_seq(kAnn), EventSeq{4});
  EXPECT_EQ(calls().newest_seq(kBob), EventSeq{1});
}

TEST_P(EveryStore, AnswersForAUserItHasNeverSeen) {
  const ReportPage page = calls().list({.user = kBob}).value();
  EXPECT_THAT(page.reports, IsEmpty());
  EXPECT_EQ(page.next, std::nullopt);
  EXPECT_EQ(page.position, EventSeq{0});
  const EventPage events = calls().events_after({.user = kBob}).value();
  EXPECT_THAT(events.events, IsEmpty());
  EXPECT_EQ(events.newest, EventSeq{0});
  EXPECT_FALSE(events.trimmed);
}

TEST_P(EveryStore, PagesThroughFiveThousandReportsWhileNewOnesComeIn) {
  constexpr std::size_t kReports = 5000;
  std::vector<Report> made(kReports);
  std::latch all(kReports);
  for (std::size_t i = 0; i < kReports; ++i) {
    store().create(kAnn, std::nullopt, [&made, &all, i](const std::expected<Change, ReportError>& change) {
      made[i] = change.value().report;
      all.count_down();
    });
  }
  all.wait();

  std::vector<Report> listed;
  std::vector<ReportId> come_in;
  ListRequest request{.user = kAnn, .limit = 97};
  std::optional<EventSeq> position;
  do {
    const ReportPage page = calls().list(request).value();
    if (!position) position = page.position;
    listed.insert(listed.end(), page.reports.begin(), page.reports.end());
    request.after = page.next;
    come_in.push_back(make().id);
  } while (request.after);

  EXPECT_EQ(listed.size(), kReports);
  EXPECT_TRUE(std::ranges::is_sorted(listed, std::ranges::greater{}, &Report::id));
  std::ranges::reverse(listed);
  EXPECT_EQ(listed, made) << "newest first is the order of making, reversed";

  // The list and the events after its position leave no hole between them.
  std::vector<ReportId> later;
  for (const ReportEvent& event : calls().all_events(kAnn, *position)) later.push_back(event.report);
  EXPECT_EQ(later, come_in);
}

TEST_P(EveryStore, SaysThatThereIsANextPageOnlyWhenThereIsOne) {
  for (int i = 0; i < 4; ++i) make();
  const ReportPage first = calls().list({.user = kAnn, .limit = 2}).value();
  ASSERT_TRUE(first.next);
  const ReportPage last = calls().list({.user = kAnn, .limit = 2, .after = first.next}).value();
  EXPECT_EQ(last.reports.size(), 2U);
  EXPECT_EQ(last.next, std::nullopt);
}

TEST_P(EveryStore, AnswersARepeatedKeyWithTheReportAsItIsNow) {
  const Report report = calls().create(kAnn, key("one")).value().report;
  const Report queued = set(report, Status::kQueued)->report;

  const Change repeat = calls().create(kAnn, key("one")).value();
  EXPECT_EQ(repeat.report, queued);
  EXPECT_EQ(repeat.event, std::nullopt);
  EXPECT_NE(calls().create(kAnn, key("two"))->report.id, report.id);
  EXPECT_NE(calls().create(kBob, key("one"))->report.id, report.id) << "keys belong to a user";
  EXPECT_EQ(calls().newest_seq(kAnn), EventSeq{3});
}

TEST_P(EveryStore, ForgetsAKeyAfterADay) {
  const Report report = calls().create(kAnn, key("one")).value().report;
  clock.advance(kIdempotencyKept - std::chrono::milliseconds(1));
  EXPECT_EQ(calls().create(kAnn, key("one"))->report, report);
  clock.advance(std::chrono::milliseconds(1));
  const Change fresh = calls().create(kAnn, key("one")).value();
  EXPECT_NE(fresh.report.id, report.id);
  EXPECT_TRUE(fresh.event);
  EXPECT_EQ(calls().create(kAnn, key("one"))->report, fresh.report);
}

TEST_P(EveryStore, MakesOneReportOfManyEqualKeysAtOnce) {
  constexpr int kRequests = 200;
  std::vector<std::optional<Change>> changes(kRequests);
  std::latch all(kRequests);
  for (auto& slot : changes) {
    store().create(kAnn, key("same"), [&slot, &all](const std::expected<Change, ReportError>& change) {
      slot = change.value();
      all.count_down();
    });
  }
  all.wait();
  EXPECT_EQ(calls().list({.user = kAnn})->reports.size(), 1U);
  EXPECT_EQ(std::ranges::count_if(changes, [](const auto& change) { return change->event.has_value(); }), 1);
  store().close();  // so that the last callback has returned
}

TEST_P(EveryStore, AppliesARedeliveredRecordOnce) {
  const Report report = make();
  const auto record = [&](std::int32_t partition, std::int64_t offset, Status to) {
    return calls().change(
        {.user = kAnn, .report = report.id, .to = to, .source = Source{"updates", partition, offset}});
  };
  ASSERT_TRUE(record(0, 7, Status::kCanceled)->event);
  ASSERT_TRUE(record(0, 8, Status::kPending)->event);

  const auto again = record(0, 7, Status::kCanceled);
  ASSERT_TRUE(again) << describe(again.error());
  EXPECT_EQ(again->event, std::nullopt);
  EXPECT_EQ(again->report.status, Status::kPending);
  EXPECT_TRUE(record(1, 7, Status::kCanceled)->event) << "another partition's record is another one";
}

TEST_P(EveryStore, KeepsNoTraceOfARefusedRecord) {
  const Report report = make();
  const ChangeRequest record{
      .user = kAnn, .report = report.id, .to = Status::kProcessing, .source = Source{"updates", 0, 1}};
  EXPECT_FALSE(calls().change(record));
  ASSERT_TRUE(set(report, Status::kQueued));
  EXPECT_TRUE(calls().change(record)->event);
}

TEST_P(EveryStore, TellsEventsOnlyForAsLongAsTheyAreKept) {
  options.keep = std::chrono::hours(1);
  const Report old = make();
  ASSERT_TRUE(set(old, Status::kQueued));
  clock.advance(std::chrono::minutes(40));
  ASSERT_TRUE(set(old, Status::kProcessing));
  const auto after = [&](std::uint64_t seq) {
    return calls().events_after({.user = kAnn, .after = EventSeq{seq}}).value();
  };
  EXPECT_EQ(after(0).events.size(), 3U);

  clock.advance(std::chrono::minutes(20));  // the first two are an hour old now
  const EventPage page = after(0);
  EXPECT_TRUE(page.trimmed);
  EXPECT_EQ(page.newest, EventSeq{3});
  ASSERT_EQ(page.events.size(), 1U);
  EXPECT_EQ(page.events[0].seq, EventSeq{3});
  EXPECT_TRUE(after(1).trimmed);
  EXPECT_FALSE(after(2).trimmed) << "all that follows 2 is kept";
  EXPECT_FALSE(after(3).trimmed);

  clock.advance(std::chrono::hours(1));
  EXPECT_TRUE(after(2).trimmed);
  EXPECT_FALSE(after(3).trimmed);
  EXPECT_THAT(after(0).events, IsEmpty());
  EXPECT_EQ(after(0).newest, EventSeq{3});
  EXPECT_EQ(calls().history(kAnn, old.id)->size(), 3U) << "histories never expire";
  ASSERT_TRUE(set(old, Status::kFailed));
  EXPECT_EQ(after(3).events.at(0).seq, EventSeq{4}) << "numbers go on";
}

TEST_P(EveryStore, NeverLetsTimeGoBack) {
  const Report report = make();
  const Time begin = clock.now();
  clock.advance(-std::chrono::hours(2));
  EXPECT_EQ(set(report, Status::kQueued)->report.updated_at, begin);
  const Report later = make();
  EXPECT_EQ(later.created_at, begin);
  EXPECT_EQ(calls().list({.user = kAnn})->reports.front(), later);
}

TEST_P(EveryStore, LetsSixtyFourRacingWritersWalkLegally) {
  constexpr int kWriters = 64;
  constexpr int kAttempts = 10'000;
  const Report report = make();
  std::atomic<int> attempts{0};
  std::atomic<std::uint64_t> accepted{1};  // the creation
  std::atomic<int> refused{0};
  std::latch begin(kWriters);
  {
    std::vector<std::jthread> writers;
    writers.reserve(kWriters);
    for (unsigned n = 0; n < kWriters; ++n) {
      writers.emplace_back([&, n] {
        std::minstd_rand random(n + 1);
        Version known{1};
        begin.arrive_and_wait();
        while (attempts.fetch_add(1) < kAttempts) {
          ChangeRequest request{.user = kAnn, .report = report.id, .to = kStatuses[random() % kStatuses.size()]};
          if (random() % 4 == 0) request.if_version = known;
          const auto result = calls().change(request);
          if (result) {
            ++accepted;
            known = result->report.version;
            continue;
          }
          ++refused;
          if (const auto* mismatch = std::get_if<VersionMismatch>(&result.error())) {
            EXPECT_NE(mismatch->present, known);
            known = mismatch->present;
          } else if (const auto* denied = std::get_if<NotAllowed>(&result.error())) {
            EXPECT_FALSE(is_allowed({denied->from, denied->to}));
          } else {
            ADD_FAILURE() << describe(result.error());
          }
        }
      });
    }
  }
  EXPECT_GT(refused, 0);

  const auto history = calls().history(kAnn, report.id).value();
  EXPECT_EQ(history.size(), accepted);
  expect_legal_walk(history);
  const auto events = calls().all_events(kAnn);
  ASSERT_EQ(events.size(), history.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i], (ReportEvent{EventSeq{i + 1}, report.id, history[i].version, history[i].to, history[i].at}));
  }
}

TEST_P(EveryStore, SeesWhatItReportedAsMade) {
  constexpr int kRounds = 500;
  std::latch all(kRounds);
  std::atomic<int> stale{0};
  for (int i = 0; i < kRounds; ++i) {
    store().create(kAnn, std::nullopt, [&](const std::expected<Change, ReportError>& change) {
      const EventSeq seq = seq_of(change);
      store().newest_seq(kAnn, [&stale, &all, seq](const std::expected<EventSeq, ReportError>& newest) {
        if (!newest || *newest < seq) ++stale;
        all.count_down();
      });
    });
  }
  all.wait();
  EXPECT_EQ(stale, 0);
  store().close();  // so that the last callback has returned
}

TEST_P(EveryStore, AnswersAllThatItAcceptedBeforeItCloses) {
  const int requests = GetParam().burst;
  std::atomic<int> answered{0};
  std::atomic<int> made{0};
  for (int i = 0; i < requests; ++i) {
    store().create(kAnn, std::nullopt, [&](const std::expected<Change, ReportError>& change) {
      ++answered;
      if (change) ++made;
    });
    store().newest_seq(kAnn, [&](const auto&) { ++answered; });
  }
  store().close();
  EXPECT_EQ(answered, 2 * requests);
  EXPECT_EQ(made, requests);

  const ReportError closing = Unavailable{"it is closing", true};
  EXPECT_EQ(calls().create(kAnn).error(), closing);
  EXPECT_EQ(calls().list({.user = kAnn}).error(), closing);
  store().close();
}

TEST_P(EveryStore, RefusesMoreThanMayWait) {
  options.waiting_max = 3;
  std::latch held(1);
  std::latch release(1);
  store().create(kAnn, std::nullopt, [&](const auto&) {
    held.count_down();
    release.wait();
  });
  held.wait();

  std::atomic<int> made{0};
  for (int i = 0; i < 3; ++i) {
    store().create(kAnn, std::nullopt, [&made](const auto& change) { made += change.has_value() ? 1 : 0; });
  }
  const auto refused = calls().create(kAnn);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), ReportError(Unavailable{"it is busy, 3 requests are waiting", true, true}));
  release.count_down();
  store().close();
  EXPECT_EQ(made, 3);
}

TEST_P(EveryStore, IsProbedWithoutAChange) {
  const Report report = make();
  EXPECT_TRUE(calls().probe());
  EXPECT_EQ(calls().newest_seq(kAnn), EventSeq{1});
  EXPECT_EQ(calls().get(kAnn, report.id), report);
  store().close();
  EXPECT_EQ(calls().probe(), std::unexpected(ReportError(Unavailable{"it is closing", true})));
}

TEST_P(EveryStore, HasAnIdThatFitsAPosition) {
  ASSERT_TRUE(calls().newest_seq(kAnn)) << "whoever was answered finds the id there";
  ASSERT_NE(store().id(), nullptr);
  const Position position{*store().id(), EventSeq{42}};
  EXPECT_EQ(Position::parse(position.text()), position);
}

}  // namespace
}  // namespace rillgate::reports::testing
