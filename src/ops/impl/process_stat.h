// What the kernel says of a process in /proc/PID/stat (proc(5)).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rillgate::ops {

struct ProcessStat {
  std::uint64_t cpu_ticks = 0;  // user and system
  std::uint64_t threads = 0;
  std::uint64_t start_ticks = 0;  // after boot
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_pages = 0;
};

/// The text of /proc/PID/stat; nothing when it is cut short. The program's name may hold blanks and brackets.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text);

/// The line `btime` of /proc/stat: when the machine was started, in seconds since 1970.
[[nodiscard]] std::optional<std::uint64_t> parse_boot_time(std::string_view text);

}  // namespace rillgate::ops
