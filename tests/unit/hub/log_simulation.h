// A simulated log with partitions, two nodes that read it in orders of their own, and clients that go from one node to
// the other with their ids; all drawn from one seed. Nodes restart and read a part again, lag, and are overtaken by the
// log's retention. Beside it a model: for each client and partition, how far it has come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace rillgate::hub::test {

/// Runs the schedule of `seed`. A sentence about the first promise that was broken, or nothing.
[[nodiscard]] std::optional<std::string> run_log_schedule(std::uint64_t seed);

}  // namespace rillgate::hub::test
