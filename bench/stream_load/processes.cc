#include "processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace rillgate::bench {
namespace {

/// 0 when the process has gone.
int parent_of(int id) {
  std::ifstream file(fmt::format("/proc/{}/stat", id));
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');  // the name may hold anything
  return name_end == std::string::npos ? 0 : std::atoi(line.c_str() + std::min(name_end + 4, line.size()));
}

}  // namespace

Processes::Processes(int root) {
  std::multimap<int, int> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const int id = std::atoi(entry.path().filename().c_str());
    if (id > 0) children.emplace(parent_of(id), id);
  }
  ids_.push_back(root);
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    const auto [begin, end] = children.equal_range(ids_[i]);
    for (auto child = begin; child != end; ++child) ids_.push_back(child->second);
  }
}

std::uint64_t Processes::cpu_ns() const {
  std::uint64_t sum = 0;
  for (const int id : ids_) {
    std::error_code gone;
    for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", id), gone)) {
      std::ifstream file(thread.path() / "schedstat");
      std::uint64_t ns = 0;
      if (file >> ns) sum += ns;
    }
  }
  return sum;
}

std::uint64_t Processes::resident_bytes() const {
  std::uint64_t sum = 0;
  for (const int id : ids_) {
    std::ifstream file(fmt::format("/proc/{}/smaps_rollup", id));
    std::string word;
    while (file >> word) {
      std::uint64_t kib = 0;
      if (word == "Pss:" && file >> kib) sum += kib * 1024;
    }
  }
  return sum;
}

}  // namespace rillgate::bench
