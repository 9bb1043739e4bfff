#include "unit/hub/simulation.h"

#include "unit/hub/log_simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace rillgate::hub::test {
namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

/// RILLGATE_SEEDS runs more of them (./dev prove: 100,000); RILLGATE_SEED replays from one.
void run_schedules(std::optional<std::string> (*run)(std::uint64_t seed)) {
  const std::uint64_t seeds = number_from_environment("RILLGATE_SEEDS", 1'000);
  const std::uint64_t first = number_from_environment("RILLGATE_SEED", 1);
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const auto broken = run(seed);
    ASSERT_FALSE(broken) << *broken << "\nreplay with RILLGATE_SEED=" << seed << " RILLGATE_SEEDS=1";
  }
  std::cout << "seeds " << first << " to " << first + seeds - 1 << " keep every promise\n";
}

TEST(HubSimulation, NothingIsLostOrRepeatedWithoutAGap) {
  run_schedules(run_schedule);
}

TEST(HubSimulation, NothingOfALogIsLostOrRepeatedWithoutAGapWhateverNodeAClientComesTo) {
  run_schedules(run_log_schedule);
}

}  // namespace
}  // namespace rillgate::hub::test
