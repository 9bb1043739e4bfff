#include "hub/log_position.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace rillgate::hub {
namespace {

constexpr std::string_view kSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:~";

TEST(LogPosition, IsThereWhenItHasTheRecordAndWhenItHasEverythingElseHas) {
  LogPosition position({3, 0, 7});
  EXPECT_TRUE(position.covers({0, 2}));
  EXPECT_FALSE(position.covers({0, 3}));
  EXPECT_FALSE(position.covers({9, 0}));
  EXPECT_TRUE(position.includes(LogPosition({3, 0, 7, 0})));
  EXPECT_FALSE(position.includes(LogPosition({0, 0, 0, 1})));
  position.merge(LogPosition({1, 5, 9, 2}));
  EXPECT_TRUE(position.includes(LogPosition({3, 5, 9, 2})));
  EXPECT_TRUE(LogPosition({3, 5, 9, 2}).includes(position));
}

TEST(LogIds, EighteenPartitionsAtABillionAreAnIdThatEveryFetchTakes) {
  const LogIds ids("cluster/topic");
  const std::string id = ids.format(LogPosition(std::vector<std::uint64_t>(18, 1'000'000'000)));
  EXPECT_EQ(id.size(), 127U);
  EXPECT_EQ(id.find_first_not_of(kSafe), std::string::npos);
}

TEST(LogIds, TheIdAfterARecordIsTheIdOfThePositionMovedPastIt) {
  const LogIds ids("cluster/topic");
  LogPosition position({5, 6});
  EXPECT_EQ(ids.format_after(position, {1, 9}), ids.format(LogPosition({5, 10})));
  EXPECT_EQ(ids.format_after(position, {4, 0}), ids.format(LogPosition({5, 6, 0, 0, 1})));
  EXPECT_EQ(ids.format_after(position, {0, 2}), ids.format(position)) << "never back";
}

TEST(LogIds, OfAnotherLogOrNonsenseIsNoPosition) {
  const LogIds ids("cluster/topic");
  const std::string id = ids.format(LogPosition({1, 300}));
  EXPECT_TRUE(ids.parse(id));
  for (const std::string& other :
       {LogIds("cluster/other").format(LogPosition({1, 300})), std::string("epoch-17"), std::string(), id + "=",
        id.substr(0, id.size() - 1), id + "A", id.substr(0, 7) + "!", std::string(2000, 'A')}) {
    EXPECT_FALSE(ids.parse(other)) << other;
  }
}

TEST(LogIds, WhatAnUnknownLogGaveOutIsTheBeginningOfAny) {
  const auto position = LogIds("cluster/topic").parse(LogIds().format({}));
  ASSERT_TRUE(position);
  EXPECT_EQ(position->partitions(), 0U);
}

RC_GTEST_PROP(LogIds, FormatAndParseAreInverse, (const std::vector<std::uint64_t>& offsets)) {
  const LogIds ids("cluster/topic");
  std::vector<std::uint64_t> next = offsets;
  if (next.size() > 60) next.resize(60);
  for (std::uint64_t& offset : next) offset >>= 1;  // Kafka's offsets have 63 bits
  const LogPosition position(next);
  const std::string id = ids.format(position);
  RC_ASSERT(id.find_first_not_of(kSafe) == std::string::npos);
  const auto parsed = ids.parse(id);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(parsed->includes(position) && position.includes(*parsed));
}

}  // namespace
}  // namespace rillgate::hub
