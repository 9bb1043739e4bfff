// What one turn of a benchmark came to: how many a second, and how long one took.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rillgate::bench {

using SteadyClock = std::chrono::steady_clock;

struct Turn {
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

inline double ms_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count();
}

/// Sorts `latencies_ms`, of which there is at least one.
inline Turn summary(std::vector<double>& latencies_ms, SteadyClock::duration took) {
  std::ranges::sort(latencies_ms);
  const auto quantile = [&](std::size_t percent) { return latencies_ms[(latencies_ms.size() - 1) * percent / 100]; };
  return {static_cast<double>(latencies_ms.size()) / std::chrono::duration<double>(took).count(), quantile(50),
          quantile(99)};
}

/// `"NAME":{…}`
inline std::string json_member(std::string_view name, const Turn& turn) {
  return fmt::format(R"("{}":{{"per_second":{:.0f},"p50_ms":{:.3f},"p99_ms":{:.3f}}})", name, turn.per_second,
                     turn.p50_ms, turn.p99_ms);
}

}  // namespace rillgate::bench
