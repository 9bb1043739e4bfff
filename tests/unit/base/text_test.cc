#include "base/text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace rillgate {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

/// Table 3-7 of Unicode 15, written out: what may stand at each place of a sequence with that first byte.
bool is_well_formed(std::string_view text) {
  struct Row {
    int lead_min, lead_max, second_min, second_max, length;
  };
  static constexpr Row kTable[] = {
      {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
      {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
      {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
  const auto at = [&](std::size_t i) { return static_cast<int>(static_cast<unsigned char>(text[i])); };
  for (std::size_t i = 0; i < text.size();) {
    const Row* const row =
        std::ranges::find_if(kTable, [&](const Row& r) { return at(i) >= r.lead_min && at(i) <= r.lead_max; });
    if (row == std::end(kTable)) return false;
    const auto length = static_cast<std::size_t>(row->length);
    if (i + length > text.size()) return false;
    if (length > 1 && (at(i + 1) < row->second_min || at(i + 1) > row->second_max)) return false;
    for (std::size_t j = 2; j < length; ++j) {
      if (at(i + j) < 0x80 || at(i + j) > 0xbf) return false;
    }
    i += length;
  }
  return true;
}

/// Whole characters, parts of them and bytes that JSON escapes, in any order.
rc::Gen<std::string> any_bytes() {
  const auto piece = rc::gen::oneOf(
      rc::gen::container<std::string>(rc::gen::cast<char>(rc::gen::inRange(0, 256))),
      rc::gen::element("a"s, "ß"s, "€"s, "🦋"s, "\xe2\x82"s, "\xf0\x9f\xa6"s, "\x80"s, "\xff"s, "\""s, "\\"s, "\n"s));
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece), [](const std::vector<std::string>& pieces) {
    std::string text;
    for (const std::string& each : pieces) text += each;
    return text;
  });
}

TEST(Utf8, EveryPairOfBytesAndWhatMayFollowAgreesWithTheTable) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      for (const auto& tail : {""s, "\x80"s, "\xbf"s, "\x80\x80"s, "\xbf\xbf"s, "\x80\xc0"s, "a"s, "\x80\x80\x80"s}) {
        const std::string text = bytes({first, second}) + tail;
        ASSERT_EQ(is_utf8(text), is_well_formed(text)) << first << ' ' << second << ' ' << tail.size();
      }
    }
  }
}

TEST(Utf8, PlainCases) {
  for (const auto text :
       {""sv, "a"sv, "ß"sv, "\xe2\x82\xac"sv, "🦋 howdy"sv, "\xef\xbb\xbf"sv, "\0"sv, "\xf4\x8f\xbf\xbf"sv}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const auto text : {"\x80"sv, "\xc0\x80"sv, "\xe0\x80\xaf"sv, "\xed\xa0\x80"sv, "\xf4\x90\x80\x80"sv, "\xff"sv,
                          "\xe2\x82"sv, "ab\xf0\x9f\xa6"sv}) {
    EXPECT_FALSE(is_utf8(text)) << text.size();
  }
}

RC_GTEST_PROP(Utf8, AgreesWithTheTableForAnyBytesAtAnyLength, ()) {
  const std::string text = *any_bytes();
  RC_ASSERT(is_utf8(text) == is_well_formed(text));
}

TEST(ControlCharacters, AreTheC0SetAndDelete) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool is_control = byte < 0x20 || byte == 0x7f;
    EXPECT_EQ(has_control_characters("a" + bytes({byte}) + "b"), is_control) << byte;
  }
  EXPECT_FALSE(has_control_characters(""));
}

/// Reads a JSON string by the grammar of RFC 8259, section 7; fails the property where it is broken.
std::string read_json_string(std::string_view json) {
  RC_ASSERT(json.size() >= 2 && json.front() == '"' && json.back() == '"');
  json = json.substr(1, json.size() - 2);
  std::string text;
  while (!json.empty()) {
    const char c = json.front();
    RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != '"');
    if (c != '\\') {
      text += c;
      json.remove_prefix(1);
      continue;
    }
    RC_ASSERT(json.size() >= 2);
    constexpr auto kEscapes = R"("\/bfnrt)"sv;
    if (const auto known = kEscapes.find(json[1]); known != std::string_view::npos) {
      text += "\"\\/\b\f\n\r\t"[known];
      json.remove_prefix(2);
      continue;
    }
    RC_ASSERT(json[1] == 'u' && json.size() >= 6 && json.substr(2, 2) == "00");
    text += static_cast<char>(std::stoi(std::string(json.substr(4, 2)), nullptr, 16));
    json.remove_prefix(6);
  }
  return text;
}

RC_GTEST_PROP(JsonString, IsValidForAnyBytesAndFaithfulForUtf8, ()) {
  const std::string text = *any_bytes();
  const std::string json = json_string(text);
  RC_ASSERT(is_utf8(json));
  const std::string back = read_json_string(json);
  if (is_utf8(text)) {
    RC_ASSERT(back == text);
  } else {
    RC_ASSERT(back.contains("\xef\xbf\xbd"));
  }
}

TEST(JsonString, SaysWhatItEscapes) {
  EXPECT_EQ(json_string(""), R"("")");
  EXPECT_EQ(json_string("a\"b\\c/d"), R"("a\"b\\c/d")");
  EXPECT_EQ(json_string("\n\r\t\x01\x1f\x7f\0"sv), R"("\n\r\t\u0001\u001f\u007f\u0000")");
  EXPECT_EQ(json_string("ß🦋"), "\"ß🦋\"");
}

TEST(JsonString, PutsOneReplacementForEachBadByteAndKeepsTheRest) {
  EXPECT_EQ(json_string("a\xff\"b\n"), "\"a\xef\xbf\xbd\\\"b\\n\"");
  EXPECT_EQ(json_string("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(json_string("ß\xf0\x9f\xa6 ß"), "\"ß\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd ß\"");
  std::string out = "before ";
  append_json_string(out, "x");
  EXPECT_EQ(out, "before \"x\"");
}

TEST(EqualsIgnoringCase, FoldsAsciiLettersAndNothingElse) {
  EXPECT_TRUE(equals_ignoring_case("Content-TYPE", "content-type"));
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("ab", "abc"));
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
  EXPECT_FALSE(equals_ignoring_case("\xc4", "\xe4"));
}

TEST(Trimmed, TakesSpacesAndTabsFromBothEnds) {
  EXPECT_EQ(trimmed(" \t a b\t "), "a b");
  EXPECT_EQ(trimmed("a"), "a");
  EXPECT_EQ(trimmed(" \t "), "");
  EXPECT_EQ(trimmed(""), "");
  EXPECT_EQ(trimmed("\na\r"), "\na\r");
}

TEST(Decimal, WritesEveryNumberSoThatItIsReadBack) {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{1'000}, UINT64_MAX}) {
    std::string text = "x";
    append_all(text, {"<", Decimal(number), ">"});
    EXPECT_EQ(text, "x<" + std::to_string(number) + ">");
  }
}

TEST(ParseDecimal, TakesDigitsOnlyAndAllOfThem) {
  EXPECT_EQ(parse_decimal("0"), 0U);
  EXPECT_EQ(parse_decimal("007"), 7U);
  EXPECT_EQ(parse_decimal("18446744073709551615"), UINT64_MAX);
  for (const auto text : {""sv, "18446744073709551616"sv, "99999999999999999999999"sv, "-1"sv, "+1"sv, " 1"sv, "1 "sv,
                          "1a"sv, "0x10"sv, "1.0"sv, "1\0"sv, "-"sv}) {
    EXPECT_FALSE(parse_decimal(text)) << text;
  }
}

}  // namespace
}  // namespace rillgate
