// What a server and all that it has started use, as /proc tells it.
#pragma once

#include <cstdint>
#include <vector>

namespace rillgate::bench {

class Processes {
 public:
  /// The process and its children, as they are now.
  explicit Processes(int root);

  /// Time on the processor of all threads so far, in nanoseconds. Of the scheduler, which counts it exactly; `utime`
  /// and `stime` are sampled by ticks.
  [[nodiscard]] std::uint64_t cpu_ns() const;
  /// Resident memory, with what several processes share counted once.
  [[nodiscard]] std::uint64_t resident_bytes() const;

 private:
  std::vector<int> ids_;
};

}  // namespace rillgate::bench
