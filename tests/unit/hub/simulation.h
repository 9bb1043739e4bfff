// A simulated world around the hub: clients that connect, stall, vanish and come back, publishers, broadcasts,
// evictions, drains and restarts, all drawn from one seed; and beside it a model so simple that it can be believed: the
// list of everything that was published.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace rillgate::hub::test {

/// Runs the schedule of `seed`. A sentence about the first promise that was broken, or nothing.
[[nodiscard]] std::optional<std::string> run_schedule(std::uint64_t seed);

}  // namespace rillgate::hub::test
