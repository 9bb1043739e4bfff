// The settings file, mistake by mistake.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/impl/settings_file.h"
#include "settings_fixture.h"

namespace rillgate::ops {
namespace {

using std::chrono_literals::operator""min;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// The mistakes of a file called `f` with this text, in the order of their lines.
std::vector<std::string> mistakes_of(std::string_view text) {
  SettingsFile file = parse_settings_file(text, "f");
  Settings settings;
  for (const Given& given : file.given) apply(given, settings, file.mistakes);
  std::ranges::sort(file.mistakes, {}, [](const Mistake& mistake) { return mistake.place.line; });
  std::vector<std::string> lines;
  lines.reserve(file.mistakes.size());
  for (const Mistake& mistake : file.mistakes) lines.push_back(mistake.text());
  return lines;
}

Settings settings_of(std::string_view text) {
  SettingsFile file = parse_settings_file(text, "f");
  Settings settings;
  for (const Given& given : file.given) apply(given, settings, file.mistakes);
  EXPECT_THAT(file.mistakes, IsEmpty()) << file.mistakes.front().text();
  return settings;
}

TEST(SettingsFile, ValuesStandAsTextNumberOrSwitchWhereThatIsNatural) {
  const Settings settings = settings_of(R"(# a comment
threads = 4
insecure-no-auth = true
listen = ["127.0.0.1:4000", "[::1]:4000"]

[history]
size = "100"
bytes = 2097152
ttl = "1m"    # another

[limits]
streams-per-user = 0x10
)");
  EXPECT_EQ(settings.threads, 4u);
  EXPECT_TRUE(settings.insecure_no_auth);
  EXPECT_THAT(settings.listen, ElementsAre(Address{"127.0.0.1", 4000}, Address{"::1", 4000}));
  EXPECT_EQ(settings.history.size, 100u);
  EXPECT_EQ(settings.history.bytes, 2u << 20);
  EXPECT_EQ(settings.history.ttl, 1min);
  EXPECT_EQ(settings.limits.streams_per_user, 16u);
}

TEST(SettingsFile, ATableMayBeWrittenInAnyWayThatTomlKnows) {
  EXPECT_EQ(settings_of("history.size = 5").history.size, 5u);
  EXPECT_EQ(settings_of("history = { size = 5 }").history.size, 5u);
  EXPECT_EQ(settings_of("[ history ]\r\n  size = 5\r\n").history.size, 5u);
}

TEST(SettingsFile, AListMayBeAnArrayOrOneText) {
  const auto expected = ElementsAre("https://a.example", "https://b.example");
  EXPECT_THAT(settings_of("cors.origins = [\"https://a.example\",\n\"https://b.example\"]").cors.origins, expected);
  EXPECT_THAT(settings_of("cors.origins = \"https://a.example, https://b.example\"").cors.origins, expected);
  EXPECT_THAT(settings_of("cors.origins = []").cors.origins, IsEmpty());
}

TEST(SettingsFile, AnEmptyFileIsFine) {
  EXPECT_THAT(mistakes_of(""), IsEmpty());
  EXPECT_THAT(mistakes_of("\n\n# nothing yet"), IsEmpty());
}

TEST(SettingsFile, AnUnknownKeyIsAMistakeThatNamesTheNearestOne) {
  EXPECT_THAT(mistakes_of("\n[history]\nmemroy = 1\n"),
              ElementsAre("f:3: there is no setting \"history.memroy\" (did you mean history.memory?)"));
  EXPECT_THAT(mistakes_of("buffer = 1"),
              ElementsAre("f:1: there is no setting \"buffer\" (did you mean stream.buffer?)"));
  EXPECT_THAT(
      mistakes_of("limits.streams_per_user = 1"),
      ElementsAre("f:1: there is no setting \"limits.streams_per_user\" (did you mean limits.streams-per-user?)"));
  EXPECT_THAT(mistakes_of("[log]\ncolour_of_the_sky = 1"),
              ElementsAre("f:2: there is no setting \"log.colour_of_the_sky\""));
}

TEST(SettingsFile, AnUnknownTableIsOneMistake) {
  EXPECT_THAT(mistakes_of("[histroy]\nsize = 1\nbytes = 2\n"),
              ElementsAre("f:1: there is no table \"histroy\" (did you mean history?)"));
  EXPECT_THAT(mistakes_of("[history]\n[history.more]\nsize = 1\n"),
              ElementsAre("f:2: there is no table \"history.more\""));
}

TEST(SettingsFile, AValueOfTheWrongShapeIsAMistake) {
  const std::string takes_count = " is no value for threads, which takes a whole number from 0 to 256";
  EXPECT_THAT(mistakes_of("threads = [1]"), ElementsAre("f:1: a list" + takes_count));
  EXPECT_THAT(mistakes_of("[threads]\nx = 1"), ElementsAre("f:1: a table" + takes_count));
  EXPECT_THAT(mistakes_of("[[threads]]\nx = 1"), ElementsAre("f:1: a list" + takes_count));
  EXPECT_THAT(mistakes_of("threads = 1.5"), ElementsAre("f:1: \"1.5\"" + takes_count));
  EXPECT_THAT(mistakes_of("threads = true"), ElementsAre("f:1: \"true\"" + takes_count));
  EXPECT_THAT(mistakes_of("threads = 2026-11-23"), ElementsAre("f:1: \"2026-11-23\"" + takes_count));
  EXPECT_THAT(mistakes_of("history = 5"), ElementsAre(StartsWith("f:1: there is no setting \"history\"")));
}

TEST(SettingsFile, EachElementOfAListHasALineOfItsOwn) {
  EXPECT_THAT(mistakes_of("listen = [\n  \"127.0.0.1:1\",\n  \"nonsense\",\n  5,\n  [\"127.0.0.1:1\"],\n]\n"),
              ElementsAre(StartsWith("f:3: \"nonsense\" is no value for listen"), StartsWith("f:4: \"5\" is no value"),
                          StartsWith("f:5: a list is no value")));
}

TEST(SettingsFile, WhatIsRefusedLeavesTheSettingAsItWas) {
  SettingsFile file = parse_settings_file("listen = [\"127.0.0.1:1\", \"nonsense\"]", "f");
  Settings settings;
  for (const Given& given : file.given) apply(given, settings, file.mistakes);
  EXPECT_EQ(settings.listen, Settings().listen);
}

TEST(SettingsFile, OneSlipDoesNotHideTheMistakesThatFollow) {
  EXPECT_THAT(mistakes_of("[history]\n"
                          "ttl = 5m\n"
                          "size = \"many\"\n"
                          "bytes =\n"
                          "memory = \"1GB\"\n"
                          "size = 3\n"
                          "[log]\n"
                          "level = \"loud\"\n"),
              ElementsAre(StartsWith("f:2: not TOML: "), StartsWith("f:3: \"many\" is no value for history.size"),
                          StartsWith("f:4: not TOML: "), StartsWith("f:5: \"1GB\" is no value for history.memory"),
                          StartsWith("f:6: not TOML: "), StartsWith("f:8: \"loud\" is no value for log.level")));
}

TEST(SettingsFile, ABrokenHeaderDoesNotGiveItsKeysToAnotherTable) {
  EXPECT_THAT(
      mistakes_of("[history]\nsize = 1\n  [log\nlevel = \"info\"\nformat = \"text\"\n  [drain]\ndelay = \"x\"\n"),
      ElementsAre(StartsWith("f:3: not TOML: "), StartsWith("f:7: \"x\" is no value for drain.delay")));
  EXPECT_THAT(mistakes_of("[history]\nsize = 1\n[history]\nlevel = 1\n"), ElementsAre(StartsWith("f:3: not TOML: ")));
}

TEST(SettingsFile, AnArrayLeftOpenIsBlamedOnce) {
  EXPECT_THAT(mistakes_of("listen = [\n\"127.0.0.1:1\"\n[history]\nsize = 1\nbytes = 2\n[log]\nlevel = \"info\"\n"),
              SizeIs(1));
  EXPECT_THAT(mistakes_of("listen = [\n\n\n"), SizeIs(1));
}

TEST(SettingsFile, BytesThatNoTextHasAreAMistakeOnTheirLine) {
  EXPECT_THAT(mistakes_of("threads = 1\nstore = \"\xff\xfe\"\n"), ElementsAre(StartsWith("f:2: not TOML: ")));
  EXPECT_THAT(mistakes_of(std::string_view("threads = 1\nstore = \"a\0b\"\n", 26)),
              Contains(StartsWith("f:2: not TOML: ")));
  for (const std::string& mistake : mistakes_of("a\x01 = 1\r\nb\x7f = 2\n\"c\\nd\" = 3")) {
    EXPECT_TRUE(std::ranges::none_of(mistake, [](char c) { return static_cast<unsigned char>(c) < 0x20; })) << mistake;
  }
}

TEST(SettingsFile, AFileThatIsNoSettingsFileEndsInAFewMistakes) {
  std::string text;
  for (int i = 0; i < 1'000; ++i) text += "<li>this is no TOML</li>\n";
  EXPECT_THAT(mistakes_of(text), SizeIs(20));
}

TEST(SettingsFile, ALineOfAbsurdLengthIsRefused) {
  std::string deep;
  for (int i = 0; i < 20'000; ++i) deep += "a.";
  EXPECT_THAT(mistakes_of("threads = \"x\"\n" + deep + "a = 1\n"),
              ElementsAre(StartsWith("f:1: \"x\" is no value"), "f:2: the line has more than 4096 bytes"));
  EXPECT_THAT(mistakes_of(deep.substr(0, 4'000) + "a = 1"), ElementsAre("f:1: there is no table \"a\""));
}

}  // namespace
}  // namespace rillgate::ops
