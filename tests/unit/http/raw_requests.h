// Raw bytes through the parser, and what came of it as one line a request, so that tables can be read.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "http/request_parser.h"

namespace rillgate::http::test {

inline constexpr std::uint64_t kBodyBytesMax = 1'000;

/// What a parser makes of inputs that come one after the other. A request is `METHOD PATH [?QUERY] [{BODY}] [close]`,
/// each ended by a semicolon; then a failure's status, or `…` when a request has begun and is not whole.
inline std::string outcome(const std::vector<std::string_view>& inputs, std::uint64_t body_bytes_max = kBodyBytesMax) {
  RequestParser parser(body_bytes_max);
  std::string said;
  for (std::string_view input : inputs) {
    while (!input.empty()) {
      const std::size_t used = parser.consume(input);
      EXPECT_LE(used, input.size());
      EXPECT_GT(used, 0U) << "the parser stands still";
      if (used == 0 || used > input.size()) return "broken";
      input.remove_prefix(used);
      if (parser.take_expect_continue()) said += "(100) ";
      if (parser.state() == RequestParser::State::kFailed) return said + std::to_string(parser.failure().status);
      if (parser.state() != RequestParser::State::kComplete) {
        EXPECT_TRUE(input.empty()) << "bytes of a request that is not whole were left";
        continue;
      }
      const Request& request = parser.request();
      said += fmt::format("{} {}{}{}{}{}{}{};", request.method, request.path, request.query.empty() ? "" : " ?",
                          request.query, request.body.empty() ? "" : " {", request.body,
                          request.body.empty() ? "" : "}", parser.keep_alive() ? "" : " close");
      parser.next();
    }
  }
  return parser.state() == RequestParser::State::kIdle ? said : said + "…";
}

/// The same bytes whole, cut in two at every place, and one at a time; the same must come of each.
inline std::string outcome_however_cut(std::string_view bytes, std::uint64_t body_bytes_max = kBodyBytesMax) {
  const std::string whole = outcome({bytes}, body_bytes_max);
  // "100 Continue" is for a client whose body did not come with its head.
  const auto without_continue = [](std::string text) {
    if (const auto at = text.find("(100) "); at != std::string::npos) text.erase(at, 6);
    return text;
  };
  const std::string expected = without_continue(whole);
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    EXPECT_EQ(without_continue(outcome({bytes.substr(0, i), bytes.substr(i)}, body_bytes_max)), expected)
        << "cut at " << i << " of " << ::testing::PrintToString(std::string(bytes));
  }
  std::vector<std::string_view> single;
  for (std::size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
  EXPECT_EQ(without_continue(outcome(single, body_bytes_max)), expected)
      << "byte by byte: " << ::testing::PrintToString(std::string(bytes));
  return whole;
}

struct RawCase {
  std::string_view bytes;
  std::string_view outcome;
};

inline void expect_all(const std::vector<RawCase>& cases) {
  for (const RawCase& each : cases) {
    EXPECT_EQ(outcome_however_cut(each.bytes), each.outcome) << ::testing::PrintToString(std::string(each.bytes));
  }
}

}  // namespace rillgate::http::test
