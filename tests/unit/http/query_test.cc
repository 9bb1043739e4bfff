#include "http/query.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rillgate::http {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

TEST(PercentDecoding, TakesEscapesInEitherCaseAndLeavesTheRest) {
  for (const auto& [text, decoded] : std::vector<std::pair<std::string_view, std::string>>{
           {"", ""},
           {"abc", "abc"},
           {"%41%6d%6D", "Amm"},
           {"%00%ff%FF", "\0\xff\xff"s},
           {"%25%32%35", "%25"},  // once, not again
           {"a+b", "a b"},
           {"a%2Bb", "a+b"},
           {"%F0%9F%A6%8B", "🦋"},
           {"🦋|\"<>", "🦋|\"<>"},
           {"\x80\xff", "\x80\xff"},
       }) {
    EXPECT_EQ(percent_decode(text, Plus::kSpace).value(), decoded) << text;
  }
  EXPECT_EQ(percent_decode("a+b", Plus::kLiteral).value(), "a+b");
}

TEST(PercentDecoding, ABrokenEscapeIsAnErrorThatShowsIt) {
  for (const auto text : {"%"sv, "%4"sv, "a%"sv, "%zz"sv, "%4z"sv, "%z4"sv, "%%41"sv, "%-1"sv, "% 1"sv, "%+1"sv,
                          "%0x"sv, "%4\0"sv, "%\xc3\xa4"sv}) {
    const auto decoded = percent_decode(text, Plus::kSpace);
    ASSERT_FALSE(decoded) << text;
    EXPECT_TRUE(decoded.error().what.starts_with("'%")) << decoded.error().what;
  }
  EXPECT_EQ(percent_decode("user%4", Plus::kSpace).error().what,
            "'%4' is not a percent escape; write % and two hexadecimal digits, and %25 for the sign itself");
}

TEST(PercentEncoding, KeepsTheUnreservedAndIsReadBack) {
  EXPECT_EQ(percent_encode("azAZ09-._~"), "azAZ09-._~");
  EXPECT_EQ(percent_encode("a b+c/%&="), "a%20b%2Bc%2F%25%26%3D");
  EXPECT_EQ(percent_encode("🦋\0"sv), "%F0%9F%A6%8B%00");
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (const Plus plus : {Plus::kSpace, Plus::kLiteral}) EXPECT_EQ(percent_decode(percent_encode(all), plus), all);
}

/// The value, `(none)`, or `(error)`.
std::string optional_of(std::string_view query, std::string_view name) {
  const auto parsed = Query::parse(query);
  if (!parsed) return "(malformed)";
  const auto value = parsed->optional(name);
  if (!value) return "(error)";
  return std::string(value->value_or("(none)"));
}

TEST(Queries, AParameterIsFoundByItsDecodedName) {
  EXPECT_EQ(optional_of("username=demo", "username"), "demo");
  EXPECT_EQ(optional_of("a=1&username=demo&b=2", "username"), "demo");
  EXPECT_EQ(optional_of("%75sername=demo", "username"), "demo");
  EXPECT_EQ(optional_of("user+name=x", "user name"), "x");
  EXPECT_EQ(optional_of("username=a%26b%3Dc", "username"), "a&b=c");
  EXPECT_EQ(optional_of("username=a=b", "username"), "a=b");
  EXPECT_EQ(optional_of("username=%F0%9F%A6%8B+x", "username"), "🦋 x");
  EXPECT_EQ(optional_of("username=🦋", "username"), "🦋");
  EXPECT_EQ(optional_of("Username=x", "username"), "(none)");
  EXPECT_EQ(optional_of("username", "username"), "");
  EXPECT_EQ(optional_of("username=", "username"), "");
  EXPECT_EQ(optional_of("=x", ""), "x");
}

TEST(Queries, EmptyPartsAreNothing) {
  for (const auto query : {""sv, "&"sv, "&&&"sv}) EXPECT_EQ(optional_of(query, "a"), "(none)") << query;
  EXPECT_EQ(optional_of("&&a=1&&", "a"), "1");
}

TEST(Queries, AParameterThatIsThereTwiceIsAnErrorForWhoAsksForIt) {
  EXPECT_EQ(optional_of("a=1&a=1", "a"), "(error)");
  EXPECT_EQ(optional_of("a=1&%61=2", "a"), "(error)");
  EXPECT_EQ(optional_of("a=1&a=2&b=3", "b"), "3");
  EXPECT_EQ(Query::parse("a=1&a=2")->optional("a").error().what, "the parameter 'a' is given more than once");
}

TEST(Queries, OneBrokenEscapeSpoilsTheQuery) {
  for (const auto query : {"a=%"sv, "%=a"sv, "a=1&b=%4"sv, "a=%zz&b=1"sv, "a=%4&b"sv, "a%3&=1"sv}) {
    EXPECT_EQ(optional_of(query, "a"), "(malformed)") << query;
  }
}

TEST(Queries, ARequiredParameterThatIsMissingSaysWhatToWrite) {
  const auto query = Query::parse("a=1&b=1&b=2");
  EXPECT_EQ(query->required("a", "N").value(), "1");
  EXPECT_EQ(query->required("username", "NAME").error().what, "the parameter 'username' is missing: username=NAME");
  EXPECT_EQ(query->required("b", "N").error().what, "the parameter 'b' is given more than once");
}

}  // namespace
}  // namespace rillgate::http
