#include "feed/record_format.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>

namespace rillgate::feed {
namespace {

kafka::Record record_of(std::optional<std::string_view> value, std::optional<std::string_view> key = std::nullopt) {
  kafka::Record record(nullptr);
  record.value = value;
  record.key = key;
  return record;
}

std::string read(RecordParser& parser, const kafka::Record& record) {
  const auto event = parser.parse(record);
  if (!event) return std::string(label(event.error().why)) + ": " + event.error().what;
  return std::string(event->user) + "|" + std::string(event->text.type) + "|" + std::string(event->text.data);
}

TEST(RecordFormat, TheFirstColonPartsUserAndMessage) {
  RecordParser parser({});
  EXPECT_EQ(read(parser, record_of("demo:🦋 howdy")), "demo||🦋 howdy");
  EXPECT_EQ(read(parser, record_of("demo: a:b")), "demo|| a:b");
  EXPECT_EQ(read(parser, record_of("demo:")), "demo||");
  EXPECT_EQ(read(parser, record_of("*:all", "a key")), "*||all");
}

TEST(RecordFormat, WhatCannotBeReadSaysWhy) {
  RecordParser parser({.data_bytes_max = 3});
  EXPECT_EQ(read(parser, record_of(std::nullopt)), "no_value: the record has no value");
  EXPECT_EQ(read(parser, record_of("nonsense")), "no_colon: the value has no colon; it is to be USERNAME:MESSAGE");
  EXPECT_EQ(read(parser, record_of(":x")), "bad_user: the username is empty; it has 1 to 256 bytes");
  EXPECT_EQ(read(parser, record_of("a:\xff")), "not_utf8: the message is not UTF-8");
  EXPECT_EQ(read(parser, record_of("a:1234")), "too_large: the message has 4 bytes; limits.body allows 3");
}

TEST(RecordFormat, TheKeyCanNameTheUser) {
  RecordParser parser({.user = "key"});
  EXPECT_EQ(read(parser, record_of("a:b", "ann")), "ann||a:b");
  EXPECT_EQ(read(parser, record_of("a:b")), "no_key: the record has no key, which is to be the username");
  EXPECT_EQ(read(parser, record_of("x", "a:b")).substr(0, 8), "bad_user");
}

TEST(RecordFormat, PointersLeadIntoTheValue) {
  RecordParser parser({.user = "/customer/id", .data = "/note", .event = "/kind"});
  EXPECT_EQ(read(parser, record_of(R"({"customer":{"id":"ann"},"note":"hi","kind":"order"})")), "ann|order|hi");
  EXPECT_EQ(read(parser, record_of(R"({"customer":{"id":17},"note":{"a":[1,2]},"kind":"order"})")),
            R"(17|order|{"a":[1,2]})");
  EXPECT_EQ(read(parser, record_of(R"({"customer":{"id":"ann"},"note":"no kind"})")), "ann||no kind");
  EXPECT_EQ(read(parser, record_of(R"({"customer":{"id":"ann"}})")),
            "no_member: there is nothing at /note, where the message is to be");
  EXPECT_EQ(read(parser, record_of(R"({"customer":[]})")),
            "no_member: there is nothing at /customer/id, where the username is to be");
  EXPECT_EQ(read(parser, record_of("{")), "not_json: the value is not JSON");
  EXPECT_EQ(read(parser, record_of(R"({"customer":{"id":"ann"},"note":"x","kind":"stream-open"})")).substr(0, 8),
            "bad_type");
}

TEST(RecordFormat, AWholeValueGoesAsItStandsWhateverNamesItsUser) {
  RecordParser parser({.user = "/u", .event = "fixed"});
  EXPECT_EQ(read(parser, record_of(R"({ "u": "ann" })")), R"(ann|fixed|{ "u": "ann" })");
}

TEST(RecordFormat, EveryReasonHasALabelOfItsOwn) {
  std::set<std::string_view> labels;
  for (std::size_t i = 0; i < kUnreadables; ++i) labels.insert(label(static_cast<Unreadable>(i)));
  EXPECT_EQ(labels.size(), kUnreadables);
  EXPECT_FALSE(labels.contains(""));
}

}  // namespace
}  // namespace rillgate::feed
