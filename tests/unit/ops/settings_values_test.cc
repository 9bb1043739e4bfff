// What each kind of value accepts, what it refuses, and which settings do not go together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "ops/impl/kinds.h"
#include "settings_fixture.h"

namespace rillgate::ops {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::SizeIs;
using ::testing::StartsWith;

template <class T>
std::optional<T> read(const Kind<T>& kind, std::string_view text) {
  T value{};
  return kind.read(text, value) ? std::optional<T>(value) : std::nullopt;
}

TEST(SettingValues, CountsAreWholeNumbersWithinBounds) {
  const auto kind = count({2, 1'000});
  EXPECT_EQ(read(kind, "2"), 2u);
  EXPECT_EQ(read(kind, "1000"), 1'000u);
  for (const char* text : {"", "1", "1001", "-2", "+2", "2.0", " 2", "2 ", "0x2", "2k", "99999999999999999999999"}) {
    EXPECT_FALSE(read(kind, text)) << text;
  }
}

TEST(SettingValues, SizesHaveBinaryUnits) {
  const auto kind = size({0, 1ull << 40});
  EXPECT_EQ(read(kind, "0"), 0u);
  EXPECT_EQ(read(kind, "100"), 100u);
  EXPECT_EQ(read(kind, "100B"), 100u);
  EXPECT_EQ(read(kind, "64KiB"), 64u << 10);
  EXPECT_EQ(read(kind, "3MiB"), 3u << 20);
  EXPECT_EQ(read(kind, "2GiB"), 2ull << 30);
  EXPECT_EQ(read(kind, "1TiB"), 1ull << 40);
  // KB is 1000 to some and 1024 to others.
  for (const char* text : {"", "KiB", "64KB", "64K", "64kib", "64 KiB", "1.5MiB", "-1B", "2TiB",
                           "18446744073709551615KiB", "18014398509481985KiB"}) {
    EXPECT_FALSE(read(kind, text)) << text;
  }
}

TEST(SettingValues, DurationsHaveAUnit) {
  const auto kind = duration({0ms, 48h});
  EXPECT_EQ(read(kind, "500ms"), 500ms);
  EXPECT_EQ(read(kind, "15s"), 15s);
  EXPECT_EQ(read(kind, "5m"), 5min);
  EXPECT_EQ(read(kind, "2h"), 2h);
  EXPECT_EQ(read(kind, "2d"), 48h);
  EXPECT_EQ(read(kind, "0"), 0ms);
  for (const char* text : {"", "5", "s", "5 s", "5S", "5sec", "1.5s", "-5s", "1m30s", "3d", "18446744073709551615d"}) {
    EXPECT_FALSE(read(kind, text)) << text;
  }
}

TEST(SettingValues, ADefaultIsShownInItsLargestWholeUnit) {
  EXPECT_EQ(size({0, 1}).show(1 << 20), "1MiB");
  EXPECT_EQ(size({0, 1}).show((1 << 20) + 1024), "1025KiB");
  EXPECT_EQ(size({0, 1}).show(1'000), "1000B");
  EXPECT_EQ(duration({0ms, 1ms}).show(5min), "5m");
  EXPECT_EQ(duration({0ms, 1ms}).show(90s), "90s");
  EXPECT_EQ(duration({0ms, 1ms}).show(0s), "0s");
}

TEST(SettingValues, WhatIsShownIsReadBackAsTheSame) {
  EXPECT_TRUE(rc::check("sizes", [](std::uint64_t bytes) {
    const auto kind = size({0, UINT64_MAX});
    RC_ASSERT(read(kind, kind.show(bytes)) == bytes);
  }));
  EXPECT_TRUE(rc::check("durations", [] {
    const std::chrono::milliseconds value(*rc::gen::inRange<std::int64_t>(0, INT64_MAX));
    const auto kind = duration({0ms, std::chrono::milliseconds::max()});
    RC_ASSERT(read(kind, kind.show(value)) == value);
  }));
}

TEST(SettingValues, AddressesAreIpAndPort) {
  const auto kind = addresses();
  EXPECT_THAT(read(kind, "127.0.0.1:3000"), Optional(ElementsAre(Address{"127.0.0.1", 3000})));
  EXPECT_THAT(read(kind, "[::1]:3000"), Optional(ElementsAre(Address{"::1", 3000})));
  EXPECT_THAT(read(kind, "[0:0:0:0:0:0:0:1]:0"), Optional(ElementsAre(Address{"::1", 0})));
  EXPECT_THAT(read(kind, "0.0.0.0:65535"), Optional(ElementsAre(Address{"0.0.0.0", 65535})));
  for (const char* text :
       {"", "127.0.0.1", "3000", ":3000", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.1:80", "::1:3000",
        "[::1]", "[127.0.0.1]:1", "[::1:3000", "example.org:80", "[fe80::1%eth0]:80", "*:3000"}) {
    EXPECT_FALSE(read(kind, text)) << text;
  }
  EXPECT_FALSE(read(kind, std::string_view("127.0.0.1\0x:80", 14)));
}

TEST(SettingValues, LocalhostIsBothLoopbackAddressesOfWhichTheSecondMayBeMissing) {
  EXPECT_THAT(read(addresses(), "localhost:80"),
              Optional(ElementsAre(Address{"127.0.0.1", 80, false}, Address{"::1", 80, true})));
  EXPECT_EQ(read(address(), "localhost:80"), (Address{"127.0.0.1", 80, false}));
}

TEST(SettingValues, AnAddressKnowsWhetherOtherMachinesReachIt) {
  for (const char* host : {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE((Address{host, 1}.is_loopback())) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "fe80::1", "::ffff:10.0.0.1", "128.0.0.1"}) {
    EXPECT_FALSE((Address{host, 1}.is_loopback())) << host;
  }
}

TEST(SettingValues, NetworksAreAddressesWithOrWithoutAPrefix) {
  const auto kind = networks();
  EXPECT_THAT(read(kind, "10.0.0.0/8"), Optional(ElementsAre(Network{"10.0.0.0", 8})));
  EXPECT_THAT(read(kind, "10.1.2.3"), Optional(ElementsAre(Network{"10.1.2.3", 32})));
  EXPECT_THAT(read(kind, "fd00:0::/8"), Optional(ElementsAre(Network{"fd00::", 8})));
  EXPECT_THAT(read(kind, "::1"), Optional(ElementsAre(Network{"::1", 128})));
  EXPECT_EQ(kind.show({{"10.0.0.0", 8}, {"::1", 128}}), "10.0.0.0/8, ::1/128");
  for (const char* text :
       {"", "10.0.0.0/33", "10.0.0.0/", "/8", "fd00::/129", "10.0.0.0/8/8", "10.0.0/8", "example.org"}) {
    EXPECT_FALSE(read(kind, text)) << text;
  }
}

TEST(SettingValues, OriginsAreWrittenAsBrowsersSendThem) {
  const auto kind = origins();
  for (const char* text : {"*", "https://example.org", "http://localhost:5173", "http://127.0.0.1:3000",
                           "http://[::1]:3000", "http://[::1]", "capacitor://localhost", "chrome-extension://abcdef"}) {
    EXPECT_TRUE(read(kind, text)) << text;
  }
  for (const char* text : {"",
                           "example.org",
                           "https://",
                           "https://Example.org",
                           "https://example.org/",
                           "https://example.org/app",
                           "HTTPS://a.b",
                           "https://a.b:443",
                           "http://a.b:80",
                           "https://a.b:",
                           "https://a.b:x",
                           "https://a.b:70000",
                           "https://a.b:0443",
                           "https://*.example.org",
                           "http://[::1",
                           "http://[zz]:1",
                           "://a",
                           "https://a b",
                           "https://a\nb",
                           "null"}) {
    EXPECT_FALSE(read(kind, text)) << text;
  }
}

TEST(SettingValues, ACommentTextCannotEndItsLine) {
  const auto kind = comment_text();
  for (const std::string& text :
       {std::string("keep-alive-text"), std::string("a: b"), std::string("🦋"), std::string(200, 'x')}) {
    EXPECT_TRUE(read(kind, text)) << text;
  }
  for (const std::string& text :
       {std::string(), std::string("a\nb"), std::string("a\rb"), std::string("a\tb"), std::string("a\0b", 3),
        std::string("\x7f"), std::string("\xff"), std::string(201, 'x')}) {
    EXPECT_FALSE(read(kind, text)) << text;
  }
}

TEST(SettingValues, StoresThatDoNotExistAreRefused) {
  const auto kind = store_location();
  EXPECT_TRUE(read(kind, "memory"));
  EXPECT_TRUE(read(kind, "sqlite:rillgate.db"));
  EXPECT_TRUE(read(kind, "dynamodb"));
  for (const char* text : {"", "sqlite", "sqlite:", "postgres:x", "Memory", "sqlite:a\nb", "dynamodb:x"})
    EXPECT_FALSE(read(kind, text)) << text;
}

TEST(SettingValues, AnEndpointIsAnHttpAddressWithoutAPath) {
  const auto kind = endpoint();
  EXPECT_EQ(read(kind, "http://localhost:8000"), "http://localhost:8000");
  EXPECT_EQ(read(kind, "http://localhost:8000/"), "http://localhost:8000");
  EXPECT_EQ(read(kind, "https://dynamodb.eu-central-1.amazonaws.com"), "https://dynamodb.eu-central-1.amazonaws.com");
  EXPECT_EQ(read(kind, "http://[::1]:8000"), "http://[::1]:8000");
  for (const char* text : {"", "localhost:8000", "ftp://localhost", "http://", "http://a/b", "http://a b", "http://a?b",
                           "http://user@a", "http://a:99999"}) {
    EXPECT_FALSE(read(kind, text)) << text;
  }
}

TEST(SettingValues, RegionsAndTablePrefixesHaveTheLettersThatAwsAllows) {
  for (const char* text : {"us-east-1", "local"}) EXPECT_TRUE(read(region(), text)) << text;
  for (const char* text : {"", "US", "us east", "us_east", "a/b", "a:b"}) EXPECT_FALSE(read(region(), text)) << text;
  EXPECT_FALSE(read(region(), std::string(33, 'a')));
  for (const char* text : {"", "a", "My.App_1-"}) EXPECT_TRUE(read(table_prefix(), text)) << text;
  for (const char* text : {"a b", "a/", "\"", "ü"}) EXPECT_FALSE(read(table_prefix(), text)) << text;
  EXPECT_FALSE(read(table_prefix(), std::string(201, 'a')));
}

TEST(SettingsTogether, AnOpenAddressWithoutAuthenticationIsRefused) {
  EXPECT_EQ(stopped({"--listen", "0.0.0.0:3000"}).err,
            "--listen: 0.0.0.0:3000 is no loopback address, and without authentication whoever reaches it may read and "
            "write everything; listen on a loopback address, or accept that by --insecure-no-auth\n");
  EXPECT_THAT(stopped({"--listen", "localhost:3000", "--listen", "[::]:3000"}).err,
              StartsWith("--listen: [::]:3000 is no loopback"));
  EXPECT_THAT(stopped({}, {{"RILLGATE_LISTEN", "10.0.0.1:80"}}).err,
              StartsWith("RILLGATE_LISTEN: 10.0.0.1:80 is no loopback"));
  EXPECT_EQ(started({"--listen", "0.0.0.0:3000", "--insecure-no-auth"}).settings.listen.front().host, "0.0.0.0");
  const TemporaryFile file("\nlisten = \"0.0.0.0:3000\"\n");
  EXPECT_THAT(stopped({"--config", file.path()}).err, StartsWith(file.at_line(2, "0.0.0.0:3000 is no loopback")));
}

TEST(SettingsTogether, TheOperationsRoutesMayBeOpenSinceTheyNeedNoTokenAnyway) {
  EXPECT_EQ(started({"--admin.listen", "0.0.0.0:9000"}).settings.admin.listen, (Address{"0.0.0.0", 9000}));
}

TEST(SettingsTogether, AnAddressIsListenedOnOnce) {
  EXPECT_EQ(stopped({"--listen=127.0.0.1:1,127.0.0.1:1"}).err,
            "--listen: 127.0.0.1:1 is listened on already; listen and admin.listen name each address once\n");
  EXPECT_THAT(stopped({"--admin.listen=127.0.0.1:3000"}).err,
              StartsWith("--admin.listen: 127.0.0.1:3000 is listened on"));
  EXPECT_THAT(started({"--listen=127.0.0.1:0,127.0.0.1:0"}).settings.listen, SizeIs(2));
}

TEST(SettingsTogether, AServerListensSomewhere) {
  EXPECT_EQ(stopped({"--listen="}).err, "--listen: listen names no address; it takes at least one IP:PORT\n");
}

TEST(SettingsTogether, AContradictionStandsInTheOrderOfTheLines) {
  const TemporaryFile file("threads = \"x\"\nlisten = \"0.0.0.0:1\"\nstore = \"y\"\n");
  EXPECT_THAT(stopped({"--config", file.path(), "--log.level=z"}).err,
              ::testing::MatchesRegex(".*:1: \"x\".*\n.*:2: 0.0.0.0:1 is no.*\n.*:3: \"y\".*\n--log.level: \"z\".*\n"));
}

TEST(SettingsTogether, WhatIsProbablyNotMeantIsWarnedOf) {
  EXPECT_THAT(started({"--history.bytes=512KiB"}).warnings, IsEmpty());
  EXPECT_THAT(started({"--history.bytes=524287"}).warnings,
              ElementsAre(StartsWith("history.bytes (524287 bytes) is below twice")));
  EXPECT_THAT(started({"--history.memory=512KiB"}).warnings,
              ElementsAre(StartsWith("history.memory (524288 bytes, all users)")));
  EXPECT_THAT(started({"--limits.body=1MiB"}).warnings,
              ElementsAre(StartsWith("stream.buffer (262144 bytes) is below limits.body")));
  EXPECT_THAT(started({"--limits.queued-bytes=100KiB"}).warnings,
              ElementsAre(StartsWith("limits.queued-bytes (102400 bytes")));
}

TEST(SettingsTogether, AWarningIsAlsoToldBesideAMistake) {
  EXPECT_THAT(stopped({"--threads=x"}, {{"RILLGATE_THREAD", "1"}}).err,
              HasSubstr("\nwarning: the environment variable \"RILLGATE_THREAD\" is no setting"));
}

}  // namespace
}  // namespace rillgate::ops
