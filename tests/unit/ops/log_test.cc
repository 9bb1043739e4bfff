#include "ops/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"

namespace rillgate::ops {
namespace {

using std::chrono_literals::operator""s;
using ::testing::EndsWith;
using ::testing::MatchesRegex;

/// A file in memory for the log to write to.
class Written {
 public:
  Written() : descriptor_(memfd_create("log", MFD_CLOEXEC)) { EXPECT_GE(descriptor_, 0); }
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  ~Written() { close(descriptor_); }

  [[nodiscard]] int descriptor() const { return descriptor_; }
  /// All that was written since the last call.
  std::string text() {
    std::string all;
    std::array<char, 4096> block{};
    for (ssize_t n = 0; (n = pread(descriptor_, block.data(), block.size(), read_)) > 0; read_ += n) {
      all.append(block.data(), static_cast<std::size_t>(n));
    }
    return all;
  }

 private:
  int descriptor_;
  off_t read_ = 0;
};

/// The line without its time.
std::string after_time(const std::string& line) {
  static constexpr std::size_t kTimeBytes = 25;
  return line.substr(std::min(kTimeBytes, line.size()));
}

/// How a text value comes out in the text format.
std::string shown(std::string_view value) {
  Written written;
  Logger(LogLevel::kInfo, LogFormat::kText, written.descriptor()).info("m", {{"k", value}});
  std::string line = after_time(written.text());
  EXPECT_TRUE(line.starts_with("INFO m k=") && line.ends_with('\n')) << line;
  return line.substr(9, line.size() - 10);
}

TEST(Log, TextIsTimeLevelMessageAndFields) {
  Written written;
  Logger log(LogLevel::kInfo, LogFormat::kText, written.descriptor());
  log.info("listening", {{"address", "127.0.0.1:3000"}, {"threads", 4}, {"ratio", 0.5}, {"tls", false}});
  EXPECT_THAT(written.text(),
              MatchesRegex("20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z INFO "
                           "listening address=127.0.0.1:3000 threads=4 ratio=0.5 tls=false\n"));
}

TEST(Log, JsonHasTheSameInOneObject) {
  Written written;
  Logger log(LogLevel::kInfo, LogFormat::kJson, written.descriptor());
  log.warn("slow \"store\"",
           {{"request_id", "a-1"}, {"ms", -3}, {"big", std::numeric_limits<std::uint64_t>::max()}, {"ok", true}});
  EXPECT_THAT(written.text(),
              MatchesRegex("\\{\"time\":\"20[0-9T:.-]*Z\",\"level\":\"warn\",\"message\":\"slow \\\\\"store\\\\\"\","
                           "\"request_id\":\"a-1\",\"ms\":-3,\"big\":18446744073709551615,\"ok\":true\\}\n"));
  log.info("no number", {{"nan", std::numeric_limits<double>::quiet_NaN()}});
  EXPECT_THAT(written.text(), EndsWith("\"nan\":null}\n"));
}

TEST(Log, ValuesThatCouldBeMisreadStandInQuotes) {
  EXPECT_EQ(shown("plain-value_1.2:3/4"), "plain-value_1.2:3/4");
  EXPECT_EQ(shown(""), R"("")");
  EXPECT_EQ(shown("two words"), R"("two words")");
  EXPECT_EQ(shown("a=b"), R"("a=b")");
  EXPECT_EQ(shown("a\"b\\"), R"("a\"b\\")");
  EXPECT_EQ(shown("a\nINFO forged\r\n"), R"("a\nINFO forged\r\n")");
  EXPECT_EQ(shown(std::string_view("\0\x1b[31m", 6)), R"("\u0000\u001b[31m")");
  EXPECT_EQ(shown("🦋 schön"), "\"🦋 schön\"");
  EXPECT_EQ(shown("\xff"), "\"\xef\xbf\xbd\"");
}

TEST(Log, LineEndsAndTurnsOfDirectionBeyondAsciiAreEscaped) {
  EXPECT_EQ(shown("a\u0085b"), R"("a\u0085b")");
  EXPECT_EQ(shown("a\u2028b\u2029"), R"("a\u2028b\u2029")");
  EXPECT_EQ(shown("\u202egnp.exe\u2066"), R"("\u202egnp.exe\u2066")");
  EXPECT_EQ(shown("\u00a0\u2027\u202f"), "\"\u00a0\u2027\u202f\"");
}

TEST(Log, ALongValueIsCut) {
  const std::string cut = shown(std::string(100'000, 'x'));
  EXPECT_EQ(cut, "\"" + std::string(1024, 'x') + "…\"");
  EXPECT_TRUE(is_utf8(shown(std::string(1023, 'x') + "🦋")));
}

TEST(Log, AMessageWithForeignBytesIsStillOneLine) {
  Written written;
  Logger log(LogLevel::kInfo, LogFormat::kText, written.descriptor());
  log.info("a\nb");
  EXPECT_EQ(after_time(written.text()), "INFO \"a\\nb\"\n");
}

TEST(Log, WhateverBytesAreLoggedTheLineIsOneLineOfUtf8) {
  EXPECT_TRUE(rc::check([](const std::string& value, bool as_json) {
    Written written;
    Logger log(LogLevel::kInfo, as_json ? LogFormat::kJson : LogFormat::kText, written.descriptor());
    log.info(value, {{"k", value}});
    const std::string line = written.text();
    RC_ASSERT(is_utf8(line));
    RC_ASSERT(line.ends_with('\n'));
    RC_ASSERT(!has_control_characters(std::string_view(line).substr(0, line.size() - 1)));
  }));
}

TEST(Log, LinesBelowTheLevelAreNotWrittenAndTheLevelCanChange) {
  Written written;
  Logger log(LogLevel::kWarn, LogFormat::kText, written.descriptor());
  log.trace("t");
  log.debug("d");
  log.info("i");
  EXPECT_EQ(written.text(), "");
  log.warn("w");
  EXPECT_EQ(after_time(written.text()), "WARN w\n");
  log.error("e");
  EXPECT_EQ(after_time(written.text()), "ERROR e\n");
  log.set_level(LogLevel::kTrace);
  EXPECT_TRUE(log.enabled(LogLevel::kTrace));
  log.trace("t");
  EXPECT_EQ(after_time(written.text()), "TRACE t\n");
  log.debug("d");
  EXPECT_EQ(after_time(written.text()), "DEBUG d\n");
}

TEST(Log, LinesOfManyThreadsDoNotMixAlsoOverAPipeThatIsFull) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  Logger log(LogLevel::kInfo, LogFormat::kText, ends[1]);
  constexpr std::ptrdiff_t kThreads = 4;
  constexpr std::ptrdiff_t kLines = 200;
  std::vector<std::thread> writers;
  writers.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&log, t] {
      const std::string text(1000, static_cast<char>('a' + t));
      for (int i = 0; i < kLines; ++i) log.info("m", {{"a", text}, {"b", text}, {"c", text}, {"d", text}, {"e", text}});
    });
  }
  fcntl(ends[0], F_SETFL, 0);
  std::string all;
  std::array<char, 4096> block{};
  for (std::ptrdiff_t lines = 0; lines < kThreads * kLines;) {
    const ssize_t n = read(ends[0], block.data(), block.size());
    ASSERT_GT(n, 0);
    all.append(block.data(), static_cast<std::size_t>(n));
    lines += std::count(block.data(), block.data() + n, '\n');
  }
  for (std::thread& writer : writers) writer.join();
  close(ends[0]);
  close(ends[1]);
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = all.find('\n', begin);
    const std::string line = after_time(all.substr(begin, end - begin));
    const std::string text(1000, line.back());
    ASSERT_EQ(line, fmt::format("INFO m a={0} b={0} c={0} d={0} e={0}", text));
    begin = end + 1;
  }
}

TEST(Log, ADescriptorThatIsGoneIsSurvived) {
  Logger log(LogLevel::kInfo, LogFormat::kText, -1);
  log.info("nobody hears this");
}

TEST(RateLimit, PassesSoManyLinesAnIntervalAndSaysHowManyItHeldBack) {
  RateLimit limit({.lines = 2, .interval = 10s});
  const RateLimit::Time start{};
  EXPECT_EQ(limit.admit(start), 0u);
  EXPECT_EQ(limit.admit(start + 1s), 0u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.admit(start + 9s), std::nullopt);
  EXPECT_EQ(limit.admit(start + 10s), 5u);
  EXPECT_EQ(limit.admit(start + 19s), 0u);
  EXPECT_EQ(limit.admit(start + 19s), std::nullopt);
  EXPECT_EQ(limit.admit(start + 100s), 1u);
}

TEST(RateLimit, TheLogKeepsToItAndTellsTheRest) {
  Written written;
  Logger log(LogLevel::kInfo, LogFormat::kText, written.descriptor());
  RateLimit limit({.lines = 1, .interval = std::chrono::hours(1)});
  log.log(limit, LogLevel::kDebug, "off");  // does not use the limit up
  for (int i = 0; i < 10; ++i) log.log(limit, LogLevel::kWarn, "bad record", {{"n", i}});
  EXPECT_EQ(after_time(written.text()), "WARN bad record n=0\n");

  const auto long_ago = std::chrono::steady_clock::now() - std::chrono::hours(2);
  RateLimit exhausted({.lines = 1, .interval = std::chrono::hours(1)});
  ASSERT_EQ(exhausted.admit(long_ago), 0u);
  ASSERT_EQ(exhausted.admit(long_ago), std::nullopt);
  log.log(exhausted, LogLevel::kWarn, "bad record", {{"n", 11}});
  EXPECT_EQ(after_time(written.text()), "WARN bad record n=11 suppressed=1\n");
}

}  // namespace
}  // namespace rillgate::ops
