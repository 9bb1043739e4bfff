#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "ops/impl/process_stat.h"
#include "ops/metrics.h"

namespace rillgate::ops {
namespace {

std::string file_text(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return std::move(text).str();
}

/// From Linux 6.2 on the size of the directory is the number; before that, they have to be counted.
std::uint64_t open_descriptors() {
  struct stat directory = {};
  if (stat("/proc/self/fd", &directory) == 0 && directory.st_size > 0) {
    return static_cast<std::uint64_t>(directory.st_size);
  }
  std::uint64_t count = 0;
  std::error_code error;
  std::filesystem::directory_iterator at("/proc/self/fd", error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) ++count;
  return count > 0 ? count - 1 : 0;  // without the iterator's own
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  // Fields are counted from 1; the second is the name in brackets, the only one that may hold a blank or a bracket.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  std::istringstream rest{std::string(text.substr(name_end + 1))};
  static constexpr std::size_t kFirstField = 3;
  static constexpr std::size_t kLastField = 24;
  std::array<std::string, kLastField + 1> fields;
  for (std::size_t i = kFirstField; i <= kLastField; ++i) {
    if (!(rest >> fields[i])) return std::nullopt;
  }
  const auto number = [&fields](std::size_t field) { return parse_decimal(fields[field]).value_or(0); };
  return ProcessStat{.cpu_ticks = number(14) + number(15),
                     .threads = number(20),
                     .start_ticks = number(22),
                     .virtual_bytes = number(23),
                     .resident_pages = number(24)};
}

std::optional<std::uint64_t> parse_boot_time(std::string_view text) {
  static constexpr std::string_view kLabel = "\nbtime ";
  const std::size_t at = text.find(kLabel);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + kLabel.size());
  return parse_decimal(rest.substr(0, rest.find('\n')));
}

void collect_process(Families& families) {
  const auto gauge = [&families](const char* name, const char* help, auto value) {
    families.push_back(gauge_family(name, help, {{static_cast<double>(value)}}));
  };
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  if (const auto process = parse_process_stat(file_text("/proc/self/stat"))) {
    families.push_back(counter_family("process_cpu_seconds_total", "User and system CPU time spent.",
                                      {{static_cast<double>(process->cpu_ticks) / ticks_per_second}}));
    gauge("process_threads", "Threads of the process.", process->threads);
    gauge("process_virtual_memory_bytes", "Virtual memory size.", process->virtual_bytes);
    gauge("process_resident_memory_bytes", "Resident memory size.",
          process->resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
    if (const auto boot = parse_boot_time(file_text("/proc/stat"))) {
      gauge("process_start_time_seconds", "Start of the process, in seconds since 1970.",
            static_cast<double>(*boot) + static_cast<double>(process->start_ticks) / ticks_per_second);
    }
  }
  gauge("process_open_fds", "Open file descriptors.", open_descriptors());
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    gauge("process_max_fds", "Limit of open file descriptors.", limit.rlim_cur);
}

}  // namespace rillgate::ops
