#include <gtest/gtest.h>
#include <malloc.h>
#include <time.h>

#include <algorithm>

#include "unit/http/raw_requests.h"

namespace rillgate::http {
namespace {

using State = RequestParser::State;
using test::outcome;
using test::outcome_however_cut;

constexpr std::string_view kChunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A head of exactly so many bytes.
std::string head_of(std::size_t bytes) {
  const std::string begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  return begin + std::string(bytes - begin.size() - 4, 'x') + "\r\n\r\n";
}

std::vector<std::string_view> byte_by_byte(std::string_view bytes) {
  std::vector<std::string_view> inputs;
  for (std::size_t i = 0; i < bytes.size(); ++i) inputs.push_back(bytes.substr(i, 1));
  return inputs;
}

TEST(RequestLimits, AHeadOfSixteenKibibytesIsTakenAndAByteMoreIsNot) {
  for (const std::size_t bytes : {RequestParser::kHeadBytesMax - 1, RequestParser::kHeadBytesMax}) {
    const std::string head = head_of(bytes);
    EXPECT_EQ(outcome({head}), "GET /;");
    EXPECT_EQ(outcome({head + head}), "GET /;GET /;");
    EXPECT_EQ(outcome(byte_by_byte(head)), "GET /;");
  }
  for (const std::size_t bytes : {RequestParser::kHeadBytesMax + 1, RequestParser::kHeadBytesMax * 2}) {
    const std::string head = head_of(bytes);
    EXPECT_EQ(outcome({head}), "431");
    EXPECT_EQ(outcome(byte_by_byte(head)), "431");
  }
}

TEST(RequestLimits, AHeadWithoutAnEndIsRefusedAtTheLimitAndNotLater) {
  for (const std::string& begin : {std::string(), std::string("GET /"), std::string("GET / HTTP/1.1\r\nX: ")}) {
    RequestParser parser(100);
    const std::string endless = begin + std::string(100'000, 'x');
    EXPECT_LE(parser.consume(endless), RequestParser::kHeadBytesMax + 1);
    EXPECT_EQ(parser.failure().status, 431);
  }
}

TEST(RequestLimits, ManyShortFieldsCountAsTheirBytes) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  while (head.size() + 6 <= RequestParser::kHeadBytesMax) head += "a:\r\n";
  EXPECT_EQ(outcome({head + "\r\n"}), "GET /;");
  EXPECT_EQ(outcome({head + "a:\r\na:\r\n\r\n"}), "431");
}

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Else 16 KiB in packets of a byte would keep a thread busy for a long time.
TEST(RequestLimits, AHeadThatComesByteByByteIsNotReadAgainForEachOne) {
  const auto cost_of = [](std::size_t bytes) {
    const std::string head = head_of(bytes);
    const auto inputs = byte_by_byte(head);
    double best = 1;
    for (int i = 0; i < 10; ++i) {
      const double begin = cpu_seconds();
      EXPECT_EQ(outcome(inputs), "GET /;");
      best = std::min(best, cpu_seconds() - begin);
    }
    return best;
  };
  EXPECT_LT(cost_of(16'000), cost_of(1'000) * 16 * 3) << "sixteen times the bytes, more than three times their share";
}

TEST(RequestLimits, ABodyOfTheLimitIsTakenAndADeclaredLargerOneIsRefusedBeforeItIsRead) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
  EXPECT_EQ(outcome_however_cut(head + "5\r\n\r\nhello", 5), "POST / {hello};");
  EXPECT_EQ(outcome_however_cut(head + "6\r\n\r\n", 5), "413");
  EXPECT_EQ(outcome_however_cut(head + "6\r\n\r\nhello!", 5), "413");
  EXPECT_EQ(outcome_however_cut(head + "18446744073709551615\r\n\r\n", 5), "413");
  EXPECT_EQ(outcome_however_cut(head + "6\r\nExpect: 100-continue\r\n\r\n", 5), "413");
  EXPECT_EQ(outcome_however_cut(head + "0\r\n\r\n", 0), "POST /;");
  EXPECT_EQ(outcome_however_cut(head + "1\r\n\r\n", 0), "413");
}

TEST(RequestLimits, ChunksTogetherAreHeldToTheLimit) {
  const std::string head(kChunked);
  EXPECT_EQ(outcome_however_cut(head + "5\r\nhello\r\n0\r\n\r\n", 5), "POST / {hello};");
  EXPECT_EQ(outcome_however_cut(head + "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 5), "POST / {hello};");
  EXPECT_EQ(outcome_however_cut(head + "6\r\n", 5), "413");
  EXPECT_EQ(outcome_however_cut(head + "2\r\nhe\r\n4\r\nllo!\r\n0\r\n\r\n", 5), "413");
  EXPECT_EQ(outcome_however_cut(head + "FFFFFFFFFFFFFFFF\r\nhello", 5), "413");
  EXPECT_EQ(outcome_however_cut(head + "1\r\na\r\nFFFFFFFFFFFFFFFF\r\nhello", 5), "413");
}

TEST(RequestLimits, TheLinesBetweenChunksAreBounded) {
  const std::string head(kChunked);
  for (const std::string& endless :
       {std::string("5;") + std::string(50'000, 'x'), std::string(50'000, '0'),
        std::string("0\r\nT: ") + std::string(50'000, 'x'), std::string("1\r\na") + std::string(50'000, 'x')}) {
    EXPECT_EQ(outcome({head, endless}), "400");
    EXPECT_EQ(outcome({head + endless}), "400");
    EXPECT_EQ(outcome(byte_by_byte(head + endless)), "400");
  }
  std::string trailers = "0\r\n";
  for (int i = 0; i < 10'000; ++i) trailers += "T: x\r\n";
  EXPECT_EQ(outcome({head + trailers + "\r\n"}), "400");
  // What an honest client may send is far below.
  EXPECT_EQ(outcome({head + "5;" + std::string(1'000, 'x') + "\r\nhello\r\n0\r\nT: " + std::string(1'000, 'x') +
                     "\r\nU: y\r\n\r\n"}),
            "POST / {hello};");
}

TEST(RequestLimits, ALineBetweenChunksIsJudgedTheSameHoweverItIsCut) {
  for (std::size_t extension = 4'080; extension <= 4'110; ++extension) {
    const std::string bytes = std::string(kChunked) + "5;" + std::string(extension, 'x') + "\r\nhello\r\n0\r\n\r\n";
    const std::string whole = outcome({bytes});
    EXPECT_EQ(outcome(byte_by_byte(bytes)), whole) << extension;
    for (std::size_t back = 1; back < 30; ++back) {
      const std::string_view view = bytes;
      EXPECT_EQ(outcome({view.substr(0, bytes.size() - back), view.substr(bytes.size() - back)}), whole) << extension;
    }
  }
}

/// Of malloc; always 0 under a sanitizer, which has an allocator of its own.
std::size_t bytes_in_use() {
  return mallinfo2().uordblks + mallinfo2().hblkhd;
}

// What keeps a connection open for free must not grow what it costs.
TEST(RequestLimits, MemoryDoesNotGrowWithWhatIsThrownAway) {
  RequestParser parser(64 * 1024);
  std::string chunk = "1;" + std::string(4'000, 'x') + "\r\ny\r\n";
  std::string empty_lines;
  for (int i = 0; i < 1'000; ++i) empty_lines += "\r\n";
  const std::size_t before = bytes_in_use();
  for (int i = 0; i < 1'000; ++i) parser.consume(empty_lines);
  EXPECT_EQ(parser.state(), State::kIdle);
  parser.consume(kChunked);
  for (int i = 0; i < 5'000; ++i) parser.consume(chunk);  // 20 MB for 5,000 bytes of body
  EXPECT_EQ(parser.state(), State::kBody);
  EXPECT_LT(bytes_in_use(), before + 64 * 1024);
  parser.consume("0\r\n\r\n");
  ASSERT_EQ(parser.state(), State::kComplete);
  EXPECT_EQ(parser.request().body, std::string(5'000, 'y'));
}

TEST(RequestLimits, ALargeBodyIsNotKeptForSmallRequests) {
  RequestParser parser(8 << 20);
  const std::size_t before = bytes_in_use();
  const std::string body(8 << 20, 'x');
  const std::string small = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  parser.consume("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  parser.consume(body);
  ASSERT_EQ(parser.state(), State::kComplete);
  parser.next();
  parser.consume(small);
  ASSERT_EQ(parser.state(), State::kComplete);
  EXPECT_LT(bytes_in_use(), before + body.size() + 64 * 1024);  // `body` itself, and no second one
}

}  // namespace
}  // namespace rillgate::http
