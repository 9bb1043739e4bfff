#include "ops/metrics.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <string>

#include "ops/impl/process_stat.h"

namespace rillgate::ops {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;
using ::testing::HasSubstr;
using ::testing::Not;

/// The value of the sample `name` (with its labels) on a page.
double value_of(const std::string& page, const std::string& name) {
  const std::size_t at = ("\n" + page).find("\n" + name + " ");
  if (at == std::string::npos) {
    ADD_FAILURE() << name << " is not on the page:\n" << page;
    return 0;
  }
  return std::stod(page.substr(at + name.size() + 1));
}

std::string page_of(std::function<void(Families&)> collect) {
  MetricsPage page;
  page.add(std::move(collect));
  return page.render();
}

TEST(MetricsPage, CountersAndGaugesComeWithHelpTypeAndLabels) {
  EXPECT_EQ(page_of([](Families& families) {
              families.push_back(counter_family("rillgate_events_in_total", "Events taken in.",
                                                {{3, {{"version", "v2"}}}, {4, {{"version", "v1"}}}}));
              families.push_back(gauge_family("rillgate_users", "Users known.", {{2}}));
            }),
            "# HELP rillgate_events_in_total Events taken in.\n"
            "# TYPE rillgate_events_in_total counter\n"
            "rillgate_events_in_total{version=\"v2\"} 3\n"
            "rillgate_events_in_total{version=\"v1\"} 4\n"
            "# HELP rillgate_users Users known.\n"
            "# TYPE rillgate_users gauge\n"
            "rillgate_users 2\n");
}

TEST(MetricsPage, LargeCountsKeepAllTheirDigits) {
  EXPECT_THAT(
      page_of([](Families& families) { families.push_back(counter_family("c_total", "", {{9007199254740991.0}})); }),
      HasSubstr("c_total 9007199254740991\n"));
}

TEST(MetricsPage, LabelValuesAreEscaped) {
  EXPECT_THAT(
      page_of([](Families& families) { families.push_back(gauge_family("g", "", {{1, {{"route", "a\"b\\c\nd"}}}})); }),
      HasSubstr("g{route=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(MetricsPage, DurationsBecomeCumulativeBuckets) {
  DurationHistogram histogram;
  histogram.record(10us);
  histogram.record(20us);
  histogram.record(30us);
  histogram.record(1'000s);
  const std::string page = page_of([&](Families& families) {
    families.push_back(duration_family("rillgate_delivery_seconds", "Publish to socket.",
                                       {{histogram.snapshot(), {{"version", "v2"}}}}));
  });
  EXPECT_THAT(page, HasSubstr("# TYPE rillgate_delivery_seconds histogram\n"));
  EXPECT_EQ(value_of(page, R"(rillgate_delivery_seconds_bucket{version="v2",le="1.6e-05"})"), 1);
  EXPECT_EQ(value_of(page, R"(rillgate_delivery_seconds_bucket{version="v2",le="3.2e-05"})"), 3);
  EXPECT_EQ(value_of(page, R"(rillgate_delivery_seconds_bucket{version="v2",le="+Inf"})"), 4);
  EXPECT_EQ(value_of(page, R"(rillgate_delivery_seconds_count{version="v2"})"), 4);
  EXPECT_NEAR(value_of(page, R"(rillgate_delivery_seconds_sum{version="v2"})"), 1'000, 0.001);
}

TEST(MetricsPage, OneFamilyOfSeveralCollectorsIsToldOnce) {
  MetricsPage page;
  page.add([](Families& families) {
    families.push_back(gauge_family("rillgate_streams", "Open.", {{1, {{"version", "v1"}}}}));
  });
  page.add([](Families& families) { families.push_back(gauge_family("rillgate_users", "Known.", {{9}})); });
  page.add([](Families& families) {
    families.push_back(gauge_family("rillgate_streams", "Open.", {{2, {{"version", "v2"}}}}));
  });
  EXPECT_EQ(page.render(),
            "# HELP rillgate_streams Open.\n# TYPE rillgate_streams gauge\n"
            "rillgate_streams{version=\"v1\"} 1\nrillgate_streams{version=\"v2\"} 2\n"
            "# HELP rillgate_users Known.\n# TYPE rillgate_users gauge\nrillgate_users 9\n");
}

TEST(MetricsPage, IsReadAnewEachTime) {
  Counter counter;
  MetricsPage page;
  page.add([&](Families& families) {
    families.push_back(counter_family("c_total", "", {{static_cast<double>(counter.value())}}));
  });
  EXPECT_EQ(value_of(page.render(), "c_total"), 0);
  counter.add(5);
  EXPECT_EQ(value_of(page.render(), "c_total"), 5);
}

TEST(ProcessMetrics, AreThoseThatEveryPrometheusClientHas) {
  const std::string page = page_of(collect_process);
  EXPECT_GE(value_of(page, "process_cpu_seconds_total"), 0);
  EXPECT_GT(value_of(page, "process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(value_of(page, "process_virtual_memory_bytes"), value_of(page, "process_resident_memory_bytes"));
  EXPECT_GE(value_of(page, "process_threads"), 1);
  EXPECT_GE(value_of(page, "process_max_fds"), value_of(page, "process_open_fds"));
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_LE(value_of(page, "process_start_time_seconds"), now + 2);
  EXPECT_GT(value_of(page, "process_start_time_seconds"), now - 3600);
}

TEST(ProcessMetrics, CountDescriptors) {
  const double before = value_of(page_of(collect_process), "process_open_fds");
  const int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(descriptor, 0);
  EXPECT_EQ(value_of(page_of(collect_process), "process_open_fds"), before + 1);
  close(descriptor);
}

TEST(ProcessMetrics, TheProgramsNameMayHoldBlanksAndBrackets) {
  const auto stat =
      parse_process_stat(
          "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 3 0 9000 123456 250 18446744073709551615\n")
          .value_or(ProcessStat{});
  EXPECT_EQ(stat.cpu_ticks, 12u);
  EXPECT_EQ(stat.threads, 3u);
  EXPECT_EQ(stat.start_ticks, 9000u);
  EXPECT_EQ(stat.virtual_bytes, 123456u);
  EXPECT_EQ(stat.resident_pages, 250u);
  EXPECT_FALSE(parse_process_stat("42 (a) S 1 2 3"));
  EXPECT_FALSE(parse_process_stat(""));
}

TEST(ProcessMetrics, TheBootTimeIsALineOfItsOwn) {
  EXPECT_EQ(parse_boot_time("cpu 1 2\nbtime 1700000000\nprocesses 5\n"), 1'700'000'000u);
  EXPECT_EQ(parse_boot_time("cpu 1 2\nxbtime 5\n"), std::nullopt);
  EXPECT_EQ(parse_boot_time(""), std::nullopt);
}

}  // namespace
}  // namespace rillgate::ops
