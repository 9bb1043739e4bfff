#include "hub/position.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace rillgate::hub {
namespace {

using namespace std::string_view_literals;

TEST(IdFormat, WritesTheEpochAndTheNumber) {
  const IdFormat ids("k3");
  EXPECT_EQ(ids.format(Seq{0}), "k3-0");
  EXPECT_EQ(ids.format(Seq{1234567890}), "k3-1234567890");
  EXPECT_EQ(ids.format(Seq{UINT64_MAX}), "k3-18446744073709551615");
}

TEST(IdFormat, ReadsBackWhatItWrote) {
  const IdFormat ids("k3");
  for (const std::uint64_t number : {0ULL, 1ULL, 9ULL, 10ULL, 999'999ULL, 18446744073709551615ULL}) {
    EXPECT_EQ(ids.parse(ids.format(Seq{number})), Seq{number});
    std::string text = "x";
    ids.append(text, Seq{number});
    EXPECT_EQ(text, "x" + ids.format(Seq{number}));
    std::array<char, IdFormat::kIdBytesMax> room{};
    char* const end = room.data() + room.size();
    char* const begin = ids.format_before(end, Seq{number});
    EXPECT_EQ(std::string_view(begin, static_cast<std::size_t>(end - begin)), ids.format(Seq{number}));
  }
}

TEST(IdFormat, AnythingElseIsNoIdOfThisEpoch) {
  const IdFormat ids("k3");
  for (const auto id : {""sv, "k3"sv, "k3-"sv, "-1"sv, "1"sv, "k4-1"sv, "K3-1"sv, "k31-1"sv, "k3--1"sv, "k3-+1"sv,
                        "k3-1 "sv, " k3-1"sv, "k3-1x"sv, "k3-0x1"sv, "k3-18446744073709551616"sv,
                        "k3-99999999999999999999999999999999"sv, "k3-1\0"sv, "earliest"sv, "k3-\xff"sv}) {
    EXPECT_FALSE(ids.parse(id)) << id;
  }
}

TEST(IdFormat, IdsAreOfTheCharactersThatTheContractNamesAndShort) {
  const std::string id = IdFormat(std::string(IdFormat::kEpochBytesMax, 'z')).format(Seq{UINT64_MAX});
  EXPECT_LE(id.size(), 128U);
  EXPECT_EQ(id.size(), IdFormat::kIdBytesMax);
  EXPECT_TRUE(std::ranges::all_of(
      id, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || "-_.:~"sv.contains(c); }));
}

TEST(Seq, NextAndPreviousAreNeighbours) {
  EXPECT_EQ(next(Seq{1}), Seq{2});
  EXPECT_EQ(previous(Seq{2}), Seq{1});
  EXPECT_LT(Seq{1}, Seq{2});
}

}  // namespace
}  // namespace rillgate::hub
