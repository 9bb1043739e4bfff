// The parts of the DynamoDB store that need no DynamoDB; the suite of every store runs on a real one (unit/dynamodb).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "reports/dynamodb/impl/client.h"
#include "reports/dynamodb/impl/credentials.h"
#include "reports/dynamodb/impl/turn.h"
#include "unit/reports/support.h"

namespace rillgate::reports::testing {
namespace {

using dynamodb::CallError;
using dynamodb::Credentials;
using dynamodb::Fault;
using dynamodb::Items;
using dynamodb::Turn;
using ::testing::HasSubstr;
using ::testing::Not;

const UserId kAnn = user_number(1);

// Errors

Fault fault_of(long status, std::string_view body) {
  return dynamodb::error_of(status, body).fault;
}

TEST(DynamoDbErrors, AreKnownByTheLastPartOfTheirTypeWhateverIsBeforeIt) {
  for (const std::string prefix : {"", "com.amazonaws.dynamodb.v20120810#", "com.amazon.coral.service#", "a#b#"}) {
    const auto body = [&](std::string_view name) { return R"({"__type":")" + prefix + std::string(name) + R"("})"; };
    EXPECT_EQ(fault_of(400, body("ConditionalCheckFailedException")), Fault::kConflict);
    EXPECT_EQ(fault_of(400, body("ProvisionedThroughputExceededException")), Fault::kThrottled);
    EXPECT_EQ(fault_of(400, body("ThrottlingException")), Fault::kThrottled);
    EXPECT_EQ(fault_of(400, body("ResourceNotFoundException")), Fault::kNoTable);
    EXPECT_EQ(fault_of(400, body("UnrecognizedClientException")), Fault::kCredentials);
    EXPECT_EQ(fault_of(400, body("ExpiredTokenException")), Fault::kExpired);
    EXPECT_EQ(fault_of(400, body("TransactionInProgressException")), Fault::kService);
    EXPECT_EQ(fault_of(400, body("ValidationException")), Fault::kRejected);
    EXPECT_EQ(fault_of(500, body("InternalServerError")), Fault::kService);
    EXPECT_EQ(fault_of(503, body("ValidationException")), Fault::kService);
  }
}

TEST(DynamoDbErrors, SayTheWordsOfBothSpellings) {
  EXPECT_EQ(dynamodb::error_of(400, R"({"__type":"a#X","message":"of AWS"})").what, "X: of AWS");
  EXPECT_EQ(dynamodb::error_of(400, R"({"__type":"a#X","Message":"of DynamoDB Local"})").what, "X: of DynamoDB Local");
}

TEST(DynamoDbErrors, OfARefusedTransactionAreThoseOfItsItems) {
  const auto refused = [](std::string_view reasons) {
    return fault_of(
        400, R"({"__type":"x#TransactionCanceledException","CancellationReasons":[)" + std::string(reasons) + "]}");
  };
  EXPECT_EQ(refused(R"({"Code":"None"},{"Code":"ConditionalCheckFailed"})"), Fault::kConflict);
  EXPECT_EQ(refused(R"({"Code":"TransactionConflict"},{"Code":"None"})"), Fault::kConflict);
  EXPECT_EQ(refused(R"({"Code":"ThrottlingError"},{"Code":"None"})"), Fault::kThrottled);
  EXPECT_EQ(refused(R"({"Code":"ThrottlingError"},{"Code":"ConditionalCheckFailed"})"), Fault::kConflict);
  EXPECT_EQ(refused(R"({"Code":"ValidationError"},{"Code":"None"})"), Fault::kRejected);
  EXPECT_EQ(refused(R"({},1,null)"), Fault::kRejected);
  EXPECT_EQ(fault_of(400, R"({"__type":"x#TransactionCanceledException"})"), Fault::kConflict);
}

TEST(DynamoDbErrors, MayBeNoJsonAtAll) {
  for (const std::string_view body : {"", "<html>", "[]", "{", "null", R"({"__type":1})", "\xff"}) {
    EXPECT_EQ(fault_of(400, body), Fault::kRejected) << body;
    EXPECT_EQ(fault_of(502, body), Fault::kService) << body;
    EXPECT_THAT(dynamodb::error_of(502, body).what, HasSubstr("502"));
  }
}

TEST(DynamoDbErrors, AreOneShortLineForWhoAsks) {
  for (const Fault fault : {Fault::kUnreachable, Fault::kService, Fault::kThrottled, Fault::kConflict, Fault::kNoTable,
                            Fault::kCredentials, Fault::kExpired, Fault::kRejected}) {
    const Unavailable told = dynamodb::unavailable(CallError{fault, "a\r\nb\x1b" + std::string(5000, 'x')});
    EXPECT_LT(told.reason.size(), 450U);
    EXPECT_THAT(told.reason, Not(HasSubstr("\n")));
    EXPECT_THAT(told.reason, Not(HasSubstr("\x1b")));
  }
}

TEST(DynamoDbRetries, PauseLongerEachTimeAndNeverTheSame) {
  std::minstd_rand random(1);
  for (int attempt = 2; attempt < 40; ++attempt) {
    const auto doubled = dynamodb::Client::kPauseFirst * (1 << std::min(attempt - 2, 10));
    const auto most = std::min<std::chrono::milliseconds>(doubled, dynamodb::Client::kPauseMax);
    for (int i = 0; i < 20; ++i) {
      const auto pause = dynamodb::pause_before(attempt, random);
      EXPECT_GE(pause, most / 2);
      EXPECT_LE(pause, most);
    }
  }
}

// Credentials

TEST(AwsCredentials, AreReadFromAProfile) {
  constexpr std::string_view kFile =
      "[default]\naws_access_key_id = A\naws_secret_access_key=s/+=\n\n[b]\r\naws_access_key_id=B\r\n"
      "aws_secret_access_key = t \r\n aws_session_token = u==\r\n#aws_access_key_id = no\n[half]\naws_access_key_id=C";
  EXPECT_EQ(dynamodb::profile_credentials(kFile, "default"), (Credentials{"A", "s/+=", ""}));
  EXPECT_EQ(dynamodb::profile_credentials(kFile, "b"), (Credentials{"B", "t", "u=="}));
  for (const std::string_view profile : {"half", "c", "", "default]"}) {
    EXPECT_EQ(dynamodb::profile_credentials(kFile, profile), std::nullopt) << profile;
  }
  for (const std::string_view file : {"", "[", "]", "=", "[default]", "[default]\n="}) {
    EXPECT_EQ(dynamodb::profile_credentials(file, "default"), std::nullopt) << file;
  }
}

TEST(AwsCredentials, AreReadFromAContainersAnswer) {
  const auto found = dynamodb::container_credentials(
      R"({"AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":"2026-02-01T00:00:42.5Z","RoleArn":null})");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->credentials, (Credentials{"A", "s", "t"}));
  EXPECT_EQ(found->expires, dynamodb::WallSeconds(std::chrono::seconds(1'769'904'042)));
  for (const std::string_view json :
       {"", "[]", "{}", R"({"AccessKeyId":"A"})", R"({"AccessKeyId":1,"SecretAccessKey":"s"})", "{\"AccessKeyId\":"}) {
    EXPECT_FALSE(dynamodb::container_credentials(json)) << json;
  }
  for (const std::string_view time : {"", "soon", "2026-02-01", "2026-02-31T00:00:00Z", "2026-02-01T00:00:00"}) {
    const auto endless = dynamodb::container_credentials(R"({"AccessKeyId":"A","SecretAccessKey":"s","Expiration":")" +
                                                         std::string(time) + R"("})");
    ASSERT_TRUE(endless);
    EXPECT_EQ(endless->expires, std::nullopt) << time;
  }
}

TEST(AwsCredentials, AreAskedForOnlyWhereTheTokenIsSafe) {
  const auto address = [](const char* name, const std::string& value) {
    return dynamodb::container_address(
        [=](const char* asked) { return asked == std::string_view(name) ? std::optional(value) : std::nullopt; });
  };
  const auto* const full = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
  EXPECT_EQ(address("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x").value(), "http://169.254.170.2/v2/x");
  EXPECT_EQ(address("HOME", "/").value(), std::nullopt);
  for (const char* const safe :
       {"https://example.org/x", "http://localhost/x", "http://127.0.0.1:80/", "http://[::1]:80/x",
        "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1/credentials"}) {
    EXPECT_EQ(address(full, safe).value(), safe);
  }
  for (const char* const unsafe :
       {"http://example.org/", "http://127.0.0.1.example.org/", "http://127.0.0.1@example.org/",
        "http://[::1].example.org/", "http://localhost:80@example.org/", "ftp://localhost/", "localhost", "http://"}) {
    EXPECT_FALSE(address(full, unsafe)) << unsafe;
  }
}

// Turns

boost::json::object object_of(const std::string& json) {
  return boost::json::parse(json).as_object();
}

/// The items that a transaction puts.
std::vector<boost::json::object> puts_of(const std::string& transaction) {
  std::vector<boost::json::object> items;
  const boost::json::value parsed = boost::json::parse(transaction);
  for (const boost::json::value& one : parsed.at("TransactItems").as_array()) {
    items.push_back(one.at("Put").at("Item").as_object());
  }
  return items;
}

class DynamoDbTurn : public ::testing::Test {
 protected:
  Turn turn(Items items) { return {kAnn, std::move(items), clock.now(), ids}; }
  ManualClock clock;
  impl::ReportIdSource ids;
  const dynamodb::Tables tables{"t-"};
};

TEST_F(DynamoDbTurn, OfAsManyRequestsAsThereMayBeFitsATransaction) {
  Items items;
  std::vector<dynamodb::WriteRequest> requests;
  for (std::size_t i = 0; i < Turn::kRequestsMax; ++i) {
    if (i % 2 == 0) {
      requests.emplace_back(dynamodb::CreateRequest{key("k" + std::to_string(i))});
      continue;
    }
    const Report report{
        .user = kAnn, .id = ids.next(clock.now()), .created_at = clock.now(), .updated_at = clock.now()};
    items.emplace(dynamodb::report_key(kAnn, report.id), object_of(dynamodb::report_item(report)));
    requests.emplace_back(ChangeRequest{.user = kAnn,
                                        .report = report.id,
                                        .to = Status::kQueued,
                                        .source = Source{"updates", 0, static_cast<std::int64_t>(i)}});
  }
  dynamodb::Keys keys;
  for (const auto& request : requests) Turn::add_keys(kAnn, request, keys);
  EXPECT_LE(keys.reports.size() + keys.events.size() + 1, 100U) << "the tip is read as well";

  Turn full = turn(items);
  for (const auto& request : requests) EXPECT_TRUE(full.make(request));
  EXPECT_EQ(full.first(), EventSeq{1});
  EXPECT_LE(puts_of(full.transaction(tables, {}, "token")).size(), 100U);
}

TEST_F(DynamoDbTurn, PutsNoItemTwice) {
  Turn one = turn({});
  const Report report = one.make(dynamodb::CreateRequest{}).value().report;
  for (const Status to : {Status::kQueued, Status::kProcessing, Status::kFailed, Status::kPending}) {
    ASSERT_TRUE(one.make(ChangeRequest{.user = kAnn, .report = report.id, .to = to}));
  }
  std::set<std::string> seen;
  for (const auto& item : puts_of(one.transaction(tables, {}, "token"))) {
    const boost::json::value* const sequence = item.if_contains("sequence");
    const auto& sort = sequence != nullptr ? *sequence : item.at("report");
    EXPECT_TRUE(seen.insert(boost::json::serialize(item.at("user")) + boost::json::serialize(sort)).second);
  }
  EXPECT_EQ(seen.size(), 1U + 1U + 5U + 5U) << "the tip, the report, its events and its history";
}

TEST_F(DynamoDbTurn, MarksItsFirstEventOnly) {
  Turn one = turn({});
  ASSERT_TRUE(one.make(dynamodb::CreateRequest{}));
  ASSERT_TRUE(one.make(dynamodb::CreateRequest{}));
  int marked = 0;
  for (const auto& item : puts_of(one.transaction(tables, {}, "token"))) {
    if (!item.contains("turn")) continue;
    ++marked;
    EXPECT_EQ(dynamodb::Item(item).event()->seq, EventSeq{1});
    EXPECT_EQ(dynamodb::Item(item).text("turn"), "token");
  }
  EXPECT_EQ(marked, 1);
}

TEST_F(DynamoDbTurn, LetsEventsExpireAndNothingElseButKeys) {
  Turn one = turn({});
  ASSERT_TRUE(one.make(dynamodb::CreateRequest{key("k")}));
  for (const auto& object : puts_of(one.transaction(tables, std::chrono::hours(1), "token"))) {
    const dynamodb::Item item(object);
    const std::string user(item.text("user").value());
    const auto expires = item.number("expires");
    if (user.contains("/key/")) {
      EXPECT_EQ(expires, clock.now().time_since_epoch() / std::chrono::seconds(1) + 24 * 3600);
    } else if (item.event()) {
      EXPECT_EQ(expires, clock.now().time_since_epoch() / std::chrono::seconds(1) + 3600);
    } else {
      EXPECT_EQ(expires, std::nullopt) << user;
    }
  }
}

TEST_F(DynamoDbTurn, ReadsBackWhatItWrites) {
  Turn one = turn({});
  const Change made = one.make(dynamodb::CreateRequest{}).value();
  for (const auto& object : puts_of(one.transaction(tables, {}, "token"))) {
    const dynamodb::Item item(object);
    if (item.number("created_at")) {
      EXPECT_EQ(item.report(kAnn), made.report);
    }
    if (item.number("newest")) {
      EXPECT_EQ(item.tip()->newest, EventSeq{1});
    }
    if (item.text("turn")) {
      EXPECT_EQ(item.event(), made.event);
    }
  }
}

TEST_F(DynamoDbTurn, MakesNothingOfADamagedItem) {
  Items items;
  items.emplace(dynamodb::tip_key(kAnn), object_of(R"({"user":{"S":"x"},"newest":{"S":"seven"},"at":{"N":"1"}})"));
  EXPECT_TRUE(turn(items).is_damaged());

  const ReportId id = ids.next(clock.now());
  for (const char* const damaged :
       {"{}", R"({"report":{"S":"x"}})", R"({"status":{"S":"lost"},"version":{"N":"1"}})"}) {
    Items one;
    one.emplace(dynamodb::report_key(kAnn, id), object_of(damaged));
    Turn its = turn(one);
    EXPECT_FALSE(its.make(ChangeRequest{.user = kAnn, .report = id, .to = Status::kQueued}));
    EXPECT_TRUE(its.is_damaged());
  }
}

TEST(DynamoDbLayout, KeepsKeysOfAnyBytesApart) {
  std::set<std::string> seen;
  for (const std::string_view text : {"k", "K", "\xff", "\xfe", "é", "\"", "\\", "k/0", "k 0"}) {
    EXPECT_TRUE(seen.insert(dynamodb::idempotency_key(kAnn, key(text))).second) << text;
  }
}

TEST(DynamoDbLayout, KnowsItsOwnStoreOnly) {
  const StoreId id = StoreId::random();
  const auto store = [](const std::string& json) {
    const auto object = object_of(json);
    return dynamodb::Item(object).store();
  };
  EXPECT_EQ(store(dynamodb::store_item(id)), id);
  EXPECT_EQ(store(R"({"id":{"S":"abcd"},"layout":{"N":"2"}})"), std::nullopt);
  EXPECT_EQ(store(R"({"id":{"S":"a b"},"layout":{"N":"1"}})"), std::nullopt);
  EXPECT_EQ(store("{}"), std::nullopt);
}

}  // namespace
}  // namespace rillgate::reports::testing
