// Where settings come from: names, precedence, flags, variables, the commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "ops/impl/declarations.h"
#include "settings_fixture.h"

namespace rillgate::ops {
namespace {

using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST(SettingsSources, WithoutAnySourceTheDefaultsOfTheContractHold) {
  const auto [settings, warnings] = started({});
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_THAT(settings.listen, ElementsAre(Address{"127.0.0.1", 3000, false}, Address{"::1", 3000, true}));
  EXPECT_EQ(settings.threads, 0u);
  EXPECT_EQ(settings.store, "sqlite:rillgate.db");
  EXPECT_FALSE(settings.insecure_no_auth);
  EXPECT_FALSE(settings.admin.listen.has_value());
  EXPECT_EQ(settings.v1.period, 5s);
  EXPECT_EQ(settings.v1.keepalive, 1s);
  EXPECT_EQ(settings.keepalive.interval, 15s);
  EXPECT_EQ(settings.keepalive.text, "keep-alive-text");
  EXPECT_EQ(settings.stream.retry, 2s);
  EXPECT_EQ(settings.stream.buffer, 256u << 10);
  EXPECT_EQ(settings.history.size, 10'000u);
  EXPECT_EQ(settings.history.bytes, 1u << 20);
  EXPECT_EQ(settings.history.ttl, 5min);
  EXPECT_EQ(settings.history.memory, 256u << 20);
  EXPECT_EQ(settings.reports.keep, 0s);
  EXPECT_EQ(settings.reports.recheck, 30s);
  EXPECT_EQ(settings.drain.delay, 0s);
  EXPECT_EQ(settings.drain.period, 5s);
  EXPECT_THAT(settings.cors.origins, IsEmpty());
  EXPECT_EQ(settings.limits.body, 64u << 10);
  EXPECT_EQ(settings.limits.streams, 100'000u);
  EXPECT_EQ(settings.limits.streams_per_user, 1'000u);
  EXPECT_EQ(settings.limits.streams_per_address, 0u);
  EXPECT_EQ(settings.limits.requests_per_address, 0u);
  EXPECT_EQ(settings.limits.queued_bytes, 1u << 30);
  EXPECT_THAT(settings.limits.trusted_proxies, IsEmpty());
  EXPECT_EQ(settings.timeouts.head, 10s);
  EXPECT_EQ(settings.timeouts.body, 30s);
  EXPECT_EQ(settings.timeouts.idle, 75s);
  EXPECT_EQ(settings.log.level, LogLevel::kInfo);
  EXPECT_EQ(settings.log.format, LogFormat::kText);
}

TEST(SettingsSources, FlagBeatsVariableBeatsFile) {
  const TemporaryFile file("[history]\nsize = 1\nbytes = \"1MiB\"\nttl = \"1s\"\n");
  const Settings settings = started({"--config", file.path(), "--history.size", "3"},
                                    {{"RILLGATE_HISTORY_SIZE", "2"}, {"RILLGATE_HISTORY_BYTES", "2MiB"}})
                                .settings;
  EXPECT_EQ(settings.history.size, 3u);
  EXPECT_EQ(settings.history.bytes, 2u << 20);
  EXPECT_EQ(settings.history.ttl, 1s);
}

TEST(SettingsSources, AStrongerListReplacesAWeakerOne) {
  const TemporaryFile file("[cors]\norigins = [\"https://a.example\", \"https://b.example\"]\n");
  const Words arguments{"--config", file.path(), "--cors.origins", "https://c.example"};
  EXPECT_THAT(started(arguments).settings.cors.origins, ElementsAre("https://c.example"));
  EXPECT_THAT(started({"--config", file.path()}, {{"RILLGATE_CORS_ORIGINS", ""}}).settings.cors.origins, IsEmpty());
}

TEST(SettingsSources, EachSettingTakesItsDefaultFromAllThreeSources) {
  for (const Setting& setting : declared_settings()) {
    // That one says that there is no value.
    if (setting.default_text == "none") continue;
    const std::string flag = setting.flag() + "=" + setting.default_text;
    std::ignore = started({flag.c_str()});
    std::ignore = started({}, {{setting.variable(), setting.default_text}});
    const std::size_t dot = setting.name.find('.');
    const std::string header = dot == std::string::npos ? "" : "[" + std::string(setting.table()) + "]\n";
    const std::string key = dot == std::string::npos ? setting.name : setting.name.substr(dot + 1);
    const TemporaryFile file(header + key + " = \"" + setting.default_text + "\"\n");
    std::ignore = started({"--config", file.path()});
  }
}

TEST(SettingsSources, NamesAreSpelledByOneRule) {
  const Setting* setting = find_setting("limits.streams-per-user");
  ASSERT_NE(setting, nullptr);
  EXPECT_EQ(setting->flag(), "--limits.streams-per-user");
  EXPECT_EQ(setting->variable(), "RILLGATE_LIMITS_STREAMS_PER_USER");
  EXPECT_EQ(setting->table(), "limits");
}

TEST(SettingsSources, AFlagTakesItsValueAfterABlankOrAnEqualsSign) {
  EXPECT_EQ(started({"--threads", "4"}).settings.threads, 4u);
  EXPECT_EQ(started({"--threads=4"}).settings.threads, 4u);
  EXPECT_EQ(started({"--keepalive.text=a=b"}).settings.keepalive.text, "a=b");
  EXPECT_EQ(started({"--keepalive.text=--"}).settings.keepalive.text, "--");
  EXPECT_EQ(started({"--keepalive.text", "-"}).settings.keepalive.text, "-");
}

TEST(SettingsSources, ARepeatableFlagMayBeRepeatedOrHoldCommas) {
  const Words arguments{"--listen", "127.0.0.1:1", "--listen=[::1]:2, 127.0.0.2:3"};
  EXPECT_THAT(started(arguments).settings.listen,
              ElementsAre(Address{"127.0.0.1", 1}, Address{"::1", 2}, Address{"127.0.0.2", 3}));
}

TEST(SettingsSources, ASwitchMayStandAlone) {
  EXPECT_TRUE(started({"--insecure-no-auth"}).settings.insecure_no_auth);
  EXPECT_TRUE(started({"--insecure-no-auth", "--threads", "1"}).settings.insecure_no_auth);
  EXPECT_TRUE(started({"--insecure-no-auth", "on"}).settings.insecure_no_auth);
  EXPECT_FALSE(started({"--insecure-no-auth", "off"}).settings.insecure_no_auth);
  EXPECT_FALSE(started({"--insecure-no-auth=false"}).settings.insecure_no_auth);
  EXPECT_EQ(stopped({"--insecure-no-auth=maybe"}).err,
            "--insecure-no-auth: \"maybe\" is no value for insecure-no-auth, which takes on or off\n");
}

TEST(SettingsSources, AllMistakesOfTheCommandLineAreToldAtOnce) {
  const Exit exit = stopped(
      {"--listn", "127.0.0.1:1", "--threads=x", "--history.size", "--buffer=5", "word", "--threads=2", "--store"});
  EXPECT_EQ(exit.status, 1);
  EXPECT_EQ(exit.out, "");
  EXPECT_EQ(exit.err,
            "\"--listn\" is no flag (did you mean --listen?); `rillgate --help` lists them\n"
            "--history.size: the value is missing; --history.size takes a whole number from 0 to 1000000000\n"
            "\"--buffer\" is no flag (did you mean --stream.buffer?); `rillgate --help` lists them\n"
            "\"word\" is no flag; flags are --NAME VALUE, and `rillgate --help` lists them\n"
            "--threads: given twice, as \"x\" and \"2\"; it takes one value\n"
            "--store: the value is missing; --store takes memory, sqlite:PATH, or dynamodb\n"
            "--threads: \"x\" is no value for threads, which takes a whole number from 0 to 256\n");
}

TEST(SettingsSources, AValueThatIsMissingIsNotTakenFromTheNextFlag) {
  EXPECT_THAT(stopped({"--threads", "--store", "memory"}).err, StartsWith("--threads: the value is missing"));
}

TEST(SettingsSources, AMessageIsOneLineWhateverWasGiven) {
  const Exit exit = stopped({"--threads=a\nb\x01\xff"});
  EXPECT_THAT(exit.err, HasSubstr(R"("a\nb\u0001)"));
  EXPECT_EQ(std::ranges::count(exit.err, '\n'), 1);
  EXPECT_LT(stopped({("--threads=" + std::string(10'000, 'x')).c_str()}).err.size(), 300u);
}

TEST(SettingsSources, AWrongVariableIsAMistakeWithItsName) {
  EXPECT_EQ(stopped({}, {{"RILLGATE_THREADS", "many"}}).err,
            "RILLGATE_THREADS: \"many\" is no value for threads, which takes a whole number from 0 to 256\n");
  EXPECT_EQ(stopped({}, {{"RILLGATE_HISTORY_TTL", ""}}).status, 1);
}

TEST(SettingsSources, AnUnknownVariableIsOnlyAWarning) {
  const Serve serve = started({}, {{"RILLGATE_HISTROY_SIZE", "5"}, {"RILLGATE_ZZZZZZZZZ", "1"}, {"RILLGAT", "1"}});
  EXPECT_THAT(serve.warnings,
              ElementsAre("the environment variable \"RILLGATE_HISTROY_SIZE\" is no setting and has no effect (did you "
                          "mean RILLGATE_HISTORY_SIZE?)",
                          "the environment variable \"RILLGATE_ZZZZZZZZZ\" is no setting and has no effect"));
}

TEST(SettingsSources, TheVariablesOfTheScriptsAreNobodysMistake) {
  EXPECT_THAT(started({}, {{"RILLGATE_URL", "http://localhost:3000"}, {"RILLGATE_TOKEN", "t"}}).warnings, IsEmpty());
}

TEST(SettingsSources, TheFileMayBeNamedByAVariable) {
  const TemporaryFile file("threads = 7\n");
  const TemporaryFile other("threads = 8\n");
  const Environment environment{{"RILLGATE_CONFIG", file.path()}};
  EXPECT_EQ(started({}, environment).settings.threads, 7u);
  EXPECT_EQ(started({"--config", other.path()}, environment).settings.threads, 8u);
}

TEST(SettingsSources, AFileThatCannotBeReadIsAMistake) {
  EXPECT_EQ(stopped({"--config", "/nonexistent/rillgate.toml"}).err,
            "/nonexistent/rillgate.toml: the settings file cannot be read: No such file or directory\n");
  EXPECT_THAT(stopped({"--config", "/"}).err, HasSubstr("Is a directory"));
  EXPECT_THAT(stopped({"--config", "/dev/zero"}).err, HasSubstr("more than 65536 bytes"));
  EXPECT_THAT(stopped({"--config"}).err, HasSubstr("the value is missing; --config takes a file"));
  EXPECT_THAT(stopped({"--config", "/dev/null", "--config", "/dev/null"}).err, HasSubstr("given twice"));
}

TEST(SettingsSources, EnvironmentOfReadsWhatTheKernelHandsOver) {
  const char* variables[] = {"A=1", "B=", "C=x=y", "broken", nullptr};
  EXPECT_THAT(environment_of(variables),
              ::testing::UnorderedElementsAre(::testing::Pair("A", "1"), ::testing::Pair("B", ""),
                                              ::testing::Pair("C", "x=y")));
}

TEST(Commands, ServeMayBeLeftOut) {
  EXPECT_EQ(started({"serve", "--threads", "2"}).settings.threads, 2u);
  EXPECT_EQ(started({"--threads", "2"}).settings.threads, 2u);
  EXPECT_THAT(stopped({"server"}).err, HasSubstr("\"server\" is no command; the commands are serve, check-config"));
}

TEST(Commands, VersionIsOneLine) {
  EXPECT_THAT(stopped({"--version"}).out, ::testing::MatchesRegex("rillgate [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  EXPECT_EQ(stopped({"--version"}).status, 0);
}

TEST(Commands, HelpListsEverySettingWithItsDefaultAndBounds) {
  const Exit exit = stopped({"serve", "--help"});
  EXPECT_EQ(exit.status, 0);
  EXPECT_EQ(exit.err, "");
  for (const Setting& setting : declared_settings()) {
    EXPECT_THAT(exit.out, HasSubstr("  " + setting.flag() + " " + setting.placeholder + "\n"));
    EXPECT_THAT(exit.out, HasSubstr("takes " + setting.accepts + "; default " + setting.default_text + "\n"));
  }
  EXPECT_EQ(stopped({"--help"}).out, exit.out);
  EXPECT_EQ(stopped({"-h", "--no-such-flag"}).out, exit.out);
}

TEST(Commands, CheckConfigNamesEachMistakeWithItsLine) {
  const TemporaryFile file("threads = -1\n[history]\nsize = \"many\"\n");
  const Exit exit = stopped({"check-config", "--config", file.path()});
  EXPECT_EQ(exit.status, 1);
  EXPECT_EQ(exit.out, "");
  EXPECT_EQ(
      exit.err,
      file.at_line(1, "\"-1\" is no value for threads, which takes a whole number from 0 to 256\n") +
          file.at_line(3, "\"many\" is no value for history.size, which takes a whole number from 0 to 1000000000\n"));
}

TEST(Commands, CheckConfigSaysThatAFileIsValid) {
  const TemporaryFile file("[history]\nsize = 5\n");
  const Exit exit = stopped({"check-config", "--config", file.path()});
  EXPECT_EQ(exit.status, 0);
  EXPECT_EQ(exit.out, std::string(file.path()) + " is valid\n");
  EXPECT_EQ(exit.err, "");
}

TEST(Commands, CheckConfigWarnsOfAHistoryBelowTwiceTheBufferAndStillPasses) {
  const TemporaryFile file("[history]\nbytes = \"511KiB\"\n");
  const Exit exit = stopped({"check-config", "--config", file.path()});
  EXPECT_EQ(exit.status, 0);
  EXPECT_THAT(exit.out, EndsWith(" is valid\n"));
  EXPECT_THAT(exit.err,
              StartsWith("warning: history.bytes (523264 bytes) is below twice stream.buffer (262144 bytes)"));
  EXPECT_THAT(started({"--config", file.path()}).warnings, ElementsAre(StartsWith("history.bytes (523264 bytes)")));
}

TEST(Commands, CheckConfigNeedsAFile) {
  const Exit exit = stopped({"check-config"});
  EXPECT_EQ(exit.status, 1);
  EXPECT_EQ(exit.err, "check-config needs the file to check: rillgate check-config --config FILE\n");
}

TEST(Commands, CheckConfigJudgesWhatServeWouldRunWith) {
  const TemporaryFile file("listen = \"0.0.0.0:3000\"\n");
  EXPECT_EQ(stopped({"check-config", "--config", file.path()}).status, 1);
  EXPECT_EQ(stopped({"check-config", "--config", file.path(), "--insecure-no-auth"}).status, 0);
}

TEST(Commands, TheReferencePageIsWhatTheProgramPrints) {
  const std::string printed = stopped({"settings"}).out;
  EXPECT_EQ(printed, settings_markdown());
  std::ostringstream page;
  page << std::ifstream(RILLGATE_SOURCE_DIR "/docs/settings.md").rdbuf();
  EXPECT_EQ(page.str(), printed) << "make it anew: rillgate settings > docs/settings.md";
  for (const Setting& setting : declared_settings()) {
    EXPECT_THAT(printed, HasSubstr("| `" + setting.name + "` | `" + setting.default_text + "` | "));
    EXPECT_THAT(setting.help + setting.accepts, AllOf(Not(HasSubstr("|")), Not(HasSubstr("\n"))))
        << "would break its row";
  }
}

TEST(LogLevelReload, ReadsTheFileAgainAndKeepsThePrecedence) {
  const TemporaryFile file("[log]\nlevel = \"warn\"\n");
  const Words arguments{"serve", "--config", file.path()};
  EXPECT_EQ(started(arguments).settings.log.level, LogLevel::kWarn);
  file.rewrite("[log]\nlevel = \"debug\"\n");
  EXPECT_EQ(reload_log_level(arguments, {}).value(), LogLevel::kDebug);
  EXPECT_EQ(reload_log_level(arguments, {{"RILLGATE_LOG_LEVEL", "error"}}).value(), LogLevel::kError);
  const Words stronger{"--config", file.path(), "--log.level=trace"};
  EXPECT_EQ(reload_log_level(stronger, {{"RILLGATE_LOG_LEVEL", "error"}}).value(), LogLevel::kTrace);
}

TEST(LogLevelReload, AMistakeInTheFileIsToldAndGivesNoLevel) {
  const TemporaryFile file("[log]\nlevel = \"loud\"\nformat = \"xml\"\n");
  const auto level = reload_log_level(Words{"--config", file.path()}, {});
  ASSERT_FALSE(level.has_value());
  EXPECT_EQ(
      level.error().what,
      file.at_line(2, "\"loud\" is no value for log.level, which takes one of trace, debug, info, warn, error; ") +
          file.at_line(3, "\"xml\" is no value for log.format, which takes one of text, json"));
}

}  // namespace
}  // namespace rillgate::ops
