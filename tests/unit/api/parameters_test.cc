#include "api/parameters.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "api/open_stream.h"

namespace rillgate::api {
namespace {

using From = hub::Resume::From;

http::Request request(std::string_view query, std::vector<http::Field> fields = {}) {
  http::Request result;
  result.method = "GET";
  result.query = query;
  result.fields = std::move(fields);
  return result;
}

// ---- The user

TEST(StreamUser, IsTheDecodedParameter) {
  EXPECT_EQ(stream_user(request("username=demo")).value(), "demo");
  EXPECT_EQ(stream_user(request("x=1&username=a%20b+c%F0%9F%A6%8B&last_event_id=7")).value(), "a b c🦋");
  EXPECT_EQ(stream_user(request("username=🦋")).value(), "🦋");
  EXPECT_EQ(stream_user(request("username=**")).value(), "**");
}

TEST(StreamUser, AnythingElseIsAnErrorThatSaysWhatToChange) {
  const auto error = [](std::string_view query) { return stream_user(request(query)).error().what; };
  EXPECT_EQ(error(""), "the parameter 'username' is missing: username=NAME");
  EXPECT_EQ(error("user=demo"), "the parameter 'username' is missing: username=NAME");
  EXPECT_EQ(error("username=a&username=b"), "the parameter 'username' is given more than once");
  EXPECT_EQ(error("username="), "the username is empty; it has 1 to 256 bytes");
  EXPECT_EQ(error("username=*"), "the username '*' stands for everyone and has no stream; name one user");
  EXPECT_EQ(error("username=%2A"), error("username=*"));
  EXPECT_TRUE(error("username=%").starts_with("'%' is not a percent escape"));
  EXPECT_TRUE(error("username=a&x=%zz").starts_with("'%zz' is not a percent escape"));
  for (const auto query : {"username=%00", "username=%0A", "username=a%3Ab", "username=%FF", "username=%C3"}) {
    EXPECT_FALSE(stream_user(request(query))) << query;
  }
}

// ---- Where to go on

std::string id_of(std::string_view query, std::vector<http::Field> fields = {}) {
  const auto id = last_event_id(request(query, std::move(fields)));
  if (!id) return "(error)";
  return id->value_or("(none)");
}

TEST(LastEventId, TheHeaderWinsOverTheParameter) {
  EXPECT_EQ(id_of(""), "(none)");
  EXPECT_EQ(id_of("last_event_id=e-1"), "e-1");
  EXPECT_EQ(id_of("", {{"last-event-id", "e-2"}}), "e-2");
  EXPECT_EQ(id_of("last_event_id=e-1", {{"Last-Event-ID", "e-2"}}), "e-2");
  EXPECT_EQ(id_of("last_event_id=a%2Fb"), "a/b");
}

TEST(LastEventId, AnEmptyOneIsNone) {
  EXPECT_EQ(id_of("last_event_id="), "(none)");
  EXPECT_EQ(id_of("", {{"Last-Event-ID", ""}}), "(none)");
  EXPECT_EQ(id_of("last_event_id=e-1", {{"Last-Event-ID", ""}}), "e-1");
}

TEST(LastEventId, IsHeldToItsLength) {
  EXPECT_EQ(id_of("", {{"Last-Event-ID", std::string_view("xxxx")}}), "xxxx");
  const std::string longest(1'024, 'x');
  EXPECT_EQ(id_of("last_event_id=" + longest), longest);
  EXPECT_EQ(id_of("", {{"Last-Event-ID", longest}}), longest);
  const std::string longer = longest + "x";
  EXPECT_EQ(id_of("last_event_id=" + longer), "(error)");
  EXPECT_EQ(id_of("", {{"Last-Event-ID", longer}}), "(error)");
}

TEST(LastEventId, ABrokenOrRepeatedParameterIsAnError) {
  EXPECT_EQ(id_of("last_event_id=%"), "(error)");
  EXPECT_EQ(id_of("last_event_id=a&last_event_id=b"), "(error)");
}

TEST(LastEventId, ARepeatedHeaderIsAnError) {
  EXPECT_EQ(id_of("", {{"Last-Event-ID", "e-1"}, {"last-event-id", "e-2"}}), "(error)");
}

TEST(SingleField, IsFoundInAnyCaseAndMayStandOnce) {
  const http::Request twice = request("", {{"If-Match", "1"}, {"x", "y"}, {"IF-MATCH", "1"}});
  EXPECT_EQ(single_field(twice, "if-match").error().what, "the field if-match is given more than once");
  EXPECT_EQ(single_field(twice, "X").value(), "y");
  EXPECT_EQ(single_field(twice, "Y").value(), std::nullopt);
}

TEST(ResumeFrom, AnIdEarliestOrLive) {
  EXPECT_EQ(resume_from(std::nullopt).from, From::kLive);
  EXPECT_EQ(resume_from("earliest").from, From::kEarliest);
  const std::optional<std::string> id = "e-7";
  EXPECT_EQ(resume_from(id).from, From::kId);
  EXPECT_EQ(resume_from(id).id, "e-7");
  EXPECT_EQ(resume_from(std::optional<std::string>("Earliest")).from, From::kId);
}

// ---- Accept

struct AcceptCase {
  std::vector<std::string_view> accept;
  bool allowed;
  bool by_name;
};

TEST(Accept, TheMostSpecificRangeDecides) {
  for (const AcceptCase& each : std::vector<AcceptCase>{
           {{}, true, false},
           {{""}, true, false},
           {{"text/event-stream"}, true, true},
           {{"TEXT/Event-Stream"}, true, true},
           {{"text/event-stream; charset=utf-8"}, true, true},
           {{" \ttext/event-stream\t;q=0.5 "}, true, true},
           {{"application/json, text/event-stream"}, true, true},
           {{",,text/event-stream,"}, true, true},
           {{"*/*"}, true, false},
           {{"text/*"}, true, false},
           {{"text/html, */*;q=0.1"}, true, false},
           {{"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"}, true, false},
           {{"text/html"}, false, false},
           {{"text/event-streams"}, false, false},
           {{"text"}, false, false},
           {{"application/*"}, false, false},
           {{"*/*;q=0"}, false, false},
           {{"*/*;q=0.000"}, false, false},
           {{"*/*;q=0.001"}, true, false},
           {{"*/*;q=1"}, true, false},
           {{"text/*;q=0, */*"}, false, false},
           {{"*/*, text/*;q=0"}, false, false},
           {{"text/event-stream;q=0, */*"}, false, false},
           {{"text/event-stream ; Q=0, text/*"}, false, false},
           {{"text/event-stream;level=1;q=0"}, false, false},
           {{"*/*;q=0, text/event-stream"}, true, true},
           {{"text/*;q=0, text/event-stream;q=0.1"}, true, true},
           {{"text/html", "text/event-stream"}, true, true},
           {{"text/html", "application/json"}, false, false},
           {{"*/*", "text/event-stream;q=0"}, false, false},
       }) {
    http::Request asked;
    for (const auto value : each.accept) asked.fields.push_back({"accept", value});
    const Acceptance acceptance = accepts_event_stream(asked);
    EXPECT_EQ(acceptance.allowed, each.allowed) << ::testing::PrintToString(each.accept);
    EXPECT_EQ(acceptance.by_name, each.by_name) << ::testing::PrintToString(each.accept);
  }
}

TEST(Jitter, SpreadsOverHalfAPeriodToBothSides) {
  using std::chrono::milliseconds;
  milliseconds least = milliseconds::max();
  milliseconds most{0};
  for (int i = 0; i < 2'000; ++i) {
    const milliseconds each = jittered(milliseconds(2'000));
    least = std::min(least, each);
    most = std::max(most, each);
  }
  EXPECT_GE(least, milliseconds(1'000));
  EXPECT_LE(most, milliseconds(3'000));
  EXPECT_LT(least, milliseconds(1'100));
  EXPECT_GT(most, milliseconds(2'900));
  EXPECT_EQ(jittered(milliseconds(1)), milliseconds(1));
}

}  // namespace
}  // namespace rillgate::api
