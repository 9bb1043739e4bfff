#include "http/message.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rillgate::http {
namespace {

using namespace std::string_view_literals;

TEST(PeerAddresses, AreReadAndWrittenInTheirShortestForm) {
  for (const auto& [text, shortest] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"127.0.0.1", "127.0.0.1"},
           {"0.0.0.0", "0.0.0.0"},
           {"255.255.255.255", "255.255.255.255"},
           {"::1", "::1"},
           {"::", "::"},
           {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
           {"::ffff:10.0.0.1", "10.0.0.1"},
           {"::ffff:a00:1", "10.0.0.1"},
           {"fe80::1:2", "fe80::1:2"},
       }) {
    const auto address = PeerAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), shortest);
    EXPECT_EQ(PeerAddress::parse(address->text()), address);
  }
}

TEST(PeerAddresses, AnIpv4AddressIsTheSameInItsMappedForm) {
  EXPECT_EQ(PeerAddress::parse("192.0.2.7"), PeerAddress::parse("::ffff:192.0.2.7"));
  EXPECT_NE(PeerAddress::parse("192.0.2.7"), PeerAddress::parse("::192.0.2.7"));
  EXPECT_NE(PeerAddress::parse("192.0.2.7"), PeerAddress::parse("192.0.2.8"));
}

TEST(PeerAddresses, AnythingElseIsNone) {
  for (const auto text : {""sv,          " "sv,        "localhost"sv, "1.2.3"sv,         "1.2.3.4.5"sv,
                          "256.0.0.1"sv, "1.2.3.4 "sv, " 1.2.3.4"sv,  "01.2.3.4"sv,      "1.2.3.4:80"sv,
                          "[::1]"sv,     "::1%lo"sv,   ":::"sv,       "1:2:3:4:5:6:7"sv, "1:2:3:4:5:6:7:8:9"sv,
                          "12345::"sv,   "g::"sv,      "unknown"sv,   "_hidden"sv,       "1.2.3.4\0"sv,
                          "::1\0x"sv}) {
    EXPECT_FALSE(PeerAddress::parse(text)) << text;
  }
}

TEST(Requests, FieldsAreFoundInAnyCaseAndTheFirstOneCounts) {
  Request request;
  request.fields = {{"Accept", "a"}, {"X", "1"}, {"accept", "b"}};
  EXPECT_EQ(request.field("ACCEPT"), "a");
  EXPECT_EQ(request.field("x"), "1");
  EXPECT_FALSE(request.field("xx"));
  EXPECT_FALSE(Request{}.field("x"));
}

TEST(Responses, FieldsAreWrittenAsLines) {
  Response response;
  response.field("Allow", "GET").field("Retry-After", "5");
  EXPECT_EQ(response.fields, "Allow: GET\r\nRetry-After: 5\r\n");
}

TEST(Problems, AreJsonWithTitleStatusAndDetail) {
  const Response response = problem(404, "there is no route /\"x\n");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body, R"({"title":"Not Found","status":404,"detail":"there is no route /\"x\n"})"
                           "\n");
  EXPECT_EQ(problem(400, "a\xff").body, "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"a\xef\xbf\xbd\"}\n");
}

TEST(ReasonPhrases, EveryStatusOfTheContractHasItsOwn) {
  const std::string_view unknown = reason_phrase(599);
  for (const int status :
       {200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 415, 417, 422, 429, 431, 503}) {
    EXPECT_NE(reason_phrase(status), unknown) << status;
  }
}

}  // namespace
}  // namespace rillgate::http
