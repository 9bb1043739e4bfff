#include <gtest/gtest.h>

#include <set>

#include "reports/impl/report_id_source.h"
#include "reports/report.h"
#include "reports/report_error.h"
#include "unit/reports/support.h"

namespace rillgate::reports::testing {
namespace {

constexpr std::string_view kUuid = "0190163d-8694-739b-aea5-966c26f8ad91";

TEST(Uuids, AreReadInAnyCaseAndWrittenInLowerCase) {
  EXPECT_EQ(UserId::parse(kUuid)->text(), kUuid);
  EXPECT_EQ(UserId::parse("0190163D-8694-739B-AEA5-966C26F8AD91")->text(), kUuid);
  EXPECT_EQ(ReportId::parse("00000000-0000-0000-0000-000000000000")->text(), "00000000-0000-0000-0000-000000000000");
  EXPECT_EQ(ReportId::parse("ffffffff-FFFF-ffff-FFFF-ffffffffffff")->text(), "ffffffff-ffff-ffff-ffff-ffffffffffff");
}

TEST(Uuids, AreRefusedInAnyOtherForm) {
  for (const std::string_view text :
       {"", "demo", "0190163d8694739baea5966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad9",
        "0190163d-8694-739b-aea5-966c26f8ad911", "{0190163d-8694-739b-aea5-966c26f8ad91}",
        "0190163d-8694-739b-aea5-966c26f8ad9g", "0190163d-8694-739b-aea5_966c26f8ad91",
        "0190163d08694-739b-aea5-966c26f8ad91", " 190163d-8694-739b-aea5-966c26f8ad91"}) {
    const auto refused = UserId::parse(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_NE(refused.error().what.find("is not a UUID"), std::string::npos);
  }
  EXPECT_LT(UserId::parse(std::string(16'000, '\xff')).error().what.size(), 400U);
}

TEST(ReportIds, GrowEvenWithinAMillisecondAndWhenTheClockIsSetBack) {
  impl::ReportIdSource source;
  ManualClock clock;
  ReportId last = source.next(clock.now());
  for (int i = 0; i < 20'000; ++i) {
    if (i == 10'000) clock.advance(-std::chrono::hours(1));
    const ReportId id = source.next(clock.now());
    ASSERT_LT(last, id);
    ASSERT_EQ(id.bytes[6] >> 4, 7) << "version";
    ASSERT_EQ(id.bytes[8] >> 6, 2) << "variant";
    last = id;
  }
}

TEST(ReportIds, BeginWithTheTime) {
  impl::ReportIdSource source;
  // The example of RFC 9562, appendix A.6: 2022-02-22T19:22:22Z.
  EXPECT_EQ(source.next(Time(std::chrono::milliseconds(0x017f22e279b0))).text().substr(0, 15), "017f22e2-79b0-7");
}

TEST(Versions, AreReadBareAndQuoted) {
  EXPECT_EQ(parse_version("3"), Version{3});
  EXPECT_EQ(parse_version("\"3\""), Version{3});
  for (const std::string_view text :
       {"", "0", "\"\"", "\"3", "3\"", "W/\"3\"", "-1", "+1", " 3", "3.0", "*", "99999999999999999999", "\"", "'3'"}) {
    EXPECT_FALSE(parse_version(text)) << text;
  }
}

TEST(Positions, AreWrittenAndRead) {
  const Position position{StoreId::parse("a1B2").value(), EventSeq{17}};
  EXPECT_EQ(position.text(), "a1B2-17");
  EXPECT_EQ(Position::parse("a1B2-17"), position);
  for (const std::string_view text : {"", "-", "a1B2", "a1B2-", "-17", "a1B2-x", "a1B2-1-7", "a1_2-17", "a1B2-17 ",
                                      "a1B2--1", "a1B2-9223372036854775808", "abcdefghijklmnopqrstuvwxyz-1"}) {
    EXPECT_FALSE(Position::parse(text)) << text;
  }
  EXPECT_TRUE(Position::parse("a1B2-9223372036854775807"));
}

TEST(StoreIds, DifferFromStoreToStore) {
  std::set<StoreId> ids;
  for (int i = 0; i < 100; ++i) ids.insert(StoreId::random());
  EXPECT_EQ(ids.size(), 100U);
  EXPECT_EQ(ids.begin()->text().size(), 8U);
}

TEST(IdempotencyKeys, HaveOneToA128Bytes) {
  EXPECT_FALSE(IdempotencyKey::parse(""));
  EXPECT_TRUE(IdempotencyKey::parse("k"));
  EXPECT_TRUE(IdempotencyKey::parse(std::string(128, 'k')));
  EXPECT_EQ(IdempotencyKey::parse(std::string(129, 'k')).error().what,
            "Idempotency-Key has 129 bytes; accepted: 1 to 128");
}

TEST(Statuses, HaveNamesThatAreReadBack) {
  for (const Status status : kStatuses) EXPECT_EQ(parse_status(name(status)), status);
  for (const std::string_view text : {"", "Pending", "done", "pending "}) EXPECT_FALSE(parse_status(text)) << text;
  EXPECT_EQ(parse_status("done").error().what,
            "\"done\" is not a status; accepted: pending, queued, processing, completed, failed, canceled");
}

TEST(Transitions, AreTheEightOfTheContract) {
  EXPECT_EQ(transitions_json(),
            R"({"pending":["queued","canceled"],"queued":["processing","canceled"],)"
            R"("processing":["completed","failed"],"completed":[],"failed":["pending"],"canceled":["pending"]})");
  int allowed = 0;
  for (const Status from : kStatuses) {
    for (const Status to : kStatuses) allowed += is_allowed({from, to}) ? 1 : 0;
  }
  EXPECT_EQ(allowed, 8);
}

TEST(Json, ShowsReportsEventsAndHistoriesAsTheContractHasThem) {
  const UserId user = UserId::parse("A0000000-0000-4000-8000-00000000000B").value();
  const ReportId id = ReportId::parse(kUuid).value();
  const Time made(std::chrono::milliseconds(1'769'904'000'042));
  const Time changed = made + std::chrono::seconds(61);

  const std::string created =
      R"({"userId":"a0000000-0000-4000-8000-00000000000b","reportId":"0190163d-8694-739b-aea5-966c26f8ad91",)"
      R"("reportStatus":"pending","version":1,"createdAt":"2026-02-01T00:00:00.042Z","updatedAt":"2026-02-01T00:00:00.042Z"})";
  const Report report{.user = user, .id = id, .created_at = made, .updated_at = made};
  EXPECT_EQ(report_json(report), created);
  EXPECT_EQ(reports_json({}), "[]");
  EXPECT_EQ(reports_json({report, report}), "[" + created + "," + created + "]");

  const ReportEvent creation{EventSeq{1}, id, Version{1}, Status::kPending, made};
  EXPECT_EQ(event_type(creation), "report_created");
  EXPECT_EQ(event_json(user, creation), created);
  const ReportEvent update{EventSeq{2}, id, Version{2}, Status::kQueued, changed};
  EXPECT_EQ(event_type(update), "report_status_update");
  EXPECT_EQ(event_json(user, update), R"({"id":"0190163d-8694-739b-aea5-966c26f8ad91","status":"queued","version":2,)"
                                      R"("updatedAt":"2026-02-01T00:01:01.042Z"})");
  EXPECT_EQ(history_json({{Version{1}, std::nullopt, Status::kPending, made},
                          {Version{2}, Status::kPending, Status::kQueued, changed}}),
            R"([{"version":1,"from":null,"to":"pending","at":"2026-02-01T00:00:00.042Z"},)"
            R"({"version":2,"from":"pending","to":"queued","at":"2026-02-01T00:01:01.042Z"}])");
}

TEST(Errors, SayWhatWasAskedWhatIsAndWhatIsAccepted) {
  const UserId user = user_number(1);
  const ReportId report = ReportId::parse(kUuid).value();
  EXPECT_EQ(describe(NotFound{user, report}),
            "user 00000000-0000-0000-0000-000000000001 has no report 0190163d-8694-739b-aea5-966c26f8ad91");
  EXPECT_EQ(describe(NotAllowed{Status::kPending, Status::kCompleted}),
            "a report that is pending cannot become completed; allowed: queued, canceled");
  EXPECT_EQ(describe(NotAllowed{Status::kCompleted, Status::kCompleted}),
            "a report that is completed cannot become completed; allowed: nothing, the state is final");
  EXPECT_EQ(describe(VersionMismatch{Version{2}, Version{5}}),
            "the report has version 5, the request expects 2; read it again");
  EXPECT_EQ(describe(Unavailable{"its disk is full", true}), "the report store cannot serve now: its disk is full");
}

}  // namespace
}  // namespace rillgate::reports::testing
