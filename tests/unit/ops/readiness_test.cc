#include "ops/readiness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace rillgate::ops {
namespace {

TEST(Readiness, ANodeWithoutDependenciesIsReady) {
  const Readiness readiness;
  EXPECT_TRUE(readiness.report().is_ready);
  EXPECT_EQ(readiness.report().json, "{\n  \"status\": \"ok\",\n  \"dependencies\": []\n}\n");
}

TEST(Readiness, EachDependencyHasALineAndOneThatIsDownSaysWhy) {
  Readiness readiness;
  readiness.up("store");
  readiness.down("kafka", "no broker answers at \"b:9092\"");
  const auto down = readiness.report();
  EXPECT_FALSE(down.is_ready);
  EXPECT_EQ(down.json,
            "{\n  \"status\": \"down\",\n  \"dependencies\": [\n"
            "    {\"name\": \"kafka\", \"status\": \"down\", \"reason\": \"no broker answers at \\\"b:9092\\\"\"},\n"
            "    {\"name\": \"store\", \"status\": \"ok\"}\n"
            "  ]\n}\n");
  readiness.up("kafka");
  EXPECT_TRUE(readiness.report().is_ready);
}

TEST(Readiness, ADrainingNodeIsNotReadyWhateverItsDependenciesSay) {
  Readiness readiness;
  readiness.up("store");
  readiness.drain();
  EXPECT_FALSE(readiness.report().is_ready);
  EXPECT_THAT(readiness.report().json, ::testing::HasSubstr("\"status\": \"draining\""));
  readiness.up("store");
  EXPECT_FALSE(readiness.report().is_ready);
}

TEST(Readiness, ManyThreadsMayTellAndAsk) {
  Readiness readiness;
  std::thread teller([&readiness] {
    for (int i = 0; i < 1'000; ++i) {
      readiness.down("store", "busy");
      readiness.up("store");
    }
  });
  for (int i = 0; i < 1'000; ++i) {
    const auto report = readiness.report();
    EXPECT_EQ(report.is_ready, !report.json.contains("busy"));
  }
  teller.join();
  EXPECT_TRUE(readiness.report().is_ready);
}

}  // namespace
}  // namespace rillgate::ops
