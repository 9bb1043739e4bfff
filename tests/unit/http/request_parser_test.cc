#include "http/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/http/raw_requests.h"

namespace rillgate::http {
namespace {

using test::expect_all;
using test::outcome;
using ::testing::ElementsAre;
using namespace std::string_literals;
using namespace std::string_view_literals;

TEST(GoodRequests, AreReadHoweverTheyAreCut) {
  expect_all({
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /;"},
      {"GET /v2/sse?username=demo HTTP/1.1\r\nHost: a\r\n\r\n", "GET /v2/sse ?username=demo;"},
      {"GET /? HTTP/1.1\r\nHost: a\r\n\r\n", "GET /;"},
      {"GET /a?b?c=/d HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a ?b?c=/d;"},
      {"GET /a%2Fb%20c+d?x=%41 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a/b c+d ?x=%41;"},
      {"GET /?username=\xf0\x9f\xa6\x8b|\"<>^`{} HTTP/1.1\r\nHost: a\r\n\r\n", "GET / ?username=🦋|\"<>^`{};"},
      {"HEAD / HTTP/1.1\r\nhOST:a\r\n\r\n", "HEAD /;"},
      {"X-OWN!#$%&'*+-.^_`|~0 / HTTP/1.1\r\nHost: a\r\n\r\n", "X-OWN!#$%&'*+-.^_`|~0 /;"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t \r\nZ: \xc3\x9f \"q\"\r\n\r\n", "GET /;"},
  });
}

TEST(GoodRequests, EmptyLinesBeforeARequestAreIgnored) {
  expect_all({
      {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /;"},
      {"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\n", "GET /;"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n", "GET /;GET /b;"},
      {"\r\n", ""},
  });
}

TEST(GoodRequests, AbsoluteTargetsAreTakenForTheirPath) {
  expect_all({
      {"GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n", "GET /b ?c;"},
      {"GET HTTPS://a.example:3000/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET /;"},
      {"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /;"},
      {"GET http://[::1]:3000?x=/y HTTP/1.1\r\nHost: a\r\n\r\n", "GET / ?x=/y;"},
      {"GET http://a?username=b/c HTTP/1.1\r\nHost: a\r\n\r\n", "GET / ?username=b/c;"},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS *;"},
  });
}

TEST(GoodRequests, TheConnectionStaysAsTheVersionAndTheFieldSay) {
  expect_all({
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / close;"},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", "GET / close;"},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "GET /;"},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "GET /;"},
      {"GET / HTTP/1.0\r\n\r\n", "GET / close;"},
      {"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "GET /;"},
  });
}

TEST(GoodRequests, ABodyIsAsLongAsItsLengthSays) {
  expect_all({
      {"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /;"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST /;"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "POST / {hello};"},
      {"POST / HTTP/1.1\r\nHost: a\r\ncontent-length:\t005 \r\n\r\nhello", "POST / {hello};"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", "GET / {hi};"},
      {"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", "POST / {hi} close;"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhello", "…"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n\0\r\n\xff\x80\r\n"sv, "POST / {\0\r\n\xff\x80\r\n};"sv},
  });
}

TEST(GoodRequests, ChunksBecomeOneBody) {
  constexpr auto kHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"sv;
  for (const auto& [chunks, body] : std::vector<std::pair<std::string, std::string>>{
           {"0\r\n\r\n", ""},
           {"5\r\nhello\r\n0\r\n\r\n", " {hello}"},
           {"2\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n", " {hello}"},
           {"A\r\n0123456789\r\n0a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", " {0123456789\r\n\r\n\r\n\r\n\r\n}"},
           {"5;name=value;other=\"quoted \\\" ; text\"\r\nhello\r\n0;last\r\n\r\n", " {hello}"},
           {"5 ; name = value\r\nhello\r\n0\r\n\r\n", " {hello}"},
           {"5\r\nhello\r\n0\r\nDigest: x\r\nOther: y\r\n\r\n", " {hello}"},
           // What a trailer says of the framing comes too late to mean anything (RFC 9110, section 6.5.1).
           {"5\r\nhello\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\n\r\n", " {hello}"},
           {"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", " {\r\n0\r\n\r\n}"},
       }) {
    EXPECT_EQ(test::outcome_however_cut(std::string(kHead) + chunks), "POST /" + body + ";") << chunks;
  }
  expect_all({
      {"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: \tCHUNKED \r\n\r\n1\r\nx\r\n0\r\n\r\n", "POST / {x};"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r", "…"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n", "…"},
  });
}

TEST(GoodRequests, PipelinedRequestsComeOutInOrder) {
  expect_all({
      {"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3", "GET /1;GET /2;…"},
      {"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET POST /2 HTTP/1.1\r\nHost: a\r\n\r\n",
       "POST /1 {GET };POST /2;"},
      {"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"
       "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
       "POST /1 {abc};POST /2 {x};GET /3;"},
      // A body that looks like a request stays a body, and what follows a request without one is a request.
      {"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
       "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
       "POST /1 {GET /evil HTTP/1.1\r\nHost: a\r\n\r\n};GET /2;"},
  });
}

TEST(GoodRequests, ExpectationsAreToldOnceAndOnlyWhileTheBodyIsDue) {
  constexpr auto kHead = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n"sv;
  EXPECT_EQ(outcome({kHead}), "(100) …");
  EXPECT_EQ(outcome({kHead, "h", "i"}), "(100) POST / {hi};");
  EXPECT_EQ(outcome({"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", "hi"}),
            "POST / {hi} close;");
  expect_all(
      {{"POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", "417"},
       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi", "(100) POST / {hi};"}});
}

TEST(GoodRequests, FieldsAreGivenAsTheyWereSentButForTheBlanksAround) {
  RequestParser parser(100);
  const std::string bytes = "GET /p HTTP/1.1\r\nHost: a\r\nX-One: \t b  c \t\r\nx-one: second\r\nEmpty:\r\n\r\n";
  ASSERT_EQ(parser.consume(bytes), bytes.size());
  ASSERT_EQ(parser.state(), RequestParser::State::kComplete);
  const Request& request = parser.request();
  std::vector<std::string> fields;
  for (const Field& field : request.fields) fields.push_back(std::string(field.name) + "=" + std::string(field.value));
  EXPECT_THAT(fields, ElementsAre("Host=a", "X-One=b  c", "x-one=second", "Empty="));
  EXPECT_EQ(request.field("X-ONE"), "b  c");
  EXPECT_EQ(request.field("empty"), "");
  EXPECT_FALSE(request.field("None"));
  EXPECT_EQ(request.minor_version, 1);
}

TEST(GoodRequests, NothingOfARequestIsLeftInTheNext) {
  RequestParser parser(100);
  const auto read = [&](std::string_view bytes) {
    ASSERT_EQ(parser.consume(bytes), bytes.size());
    ASSERT_EQ(parser.state(), RequestParser::State::kComplete);
  };
  read("POST /1?q HTTP/1.0\r\nHost: a\r\nX: y\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi");
  parser.request().route = 7;
  EXPECT_EQ(parser.request().minor_version, 0);
  parser.next();
  EXPECT_EQ(parser.state(), RequestParser::State::kIdle);
  read("GET /2 HTTP/1.1\r\nHost: b\r\n\r\n");
  EXPECT_EQ(parser.request().minor_version, 1);
  EXPECT_EQ(parser.request().query, "");
  EXPECT_EQ(parser.request().body, "");
  EXPECT_EQ(parser.request().route, 0U);
  EXPECT_FALSE(parser.request().field("X"));
  EXPECT_EQ(parser.request().field("Host"), "b");
}

TEST(GoodRequests, AFailureSaysWhatToChange) {
  RequestParser parser(100);
  parser.consume("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(parser.failure().status, 400);
  EXPECT_EQ(parser.failure().detail, "the request has no Host fields; HTTP/1.1 wants exactly one");
}

}  // namespace
}  // namespace rillgate::http
