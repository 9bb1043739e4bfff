// What the simulations of the hub share: promises that can be broken, and chance from one seed.
#pragma once

#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>

namespace rillgate::hub::test {

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};
inline void promise(bool held, const std::string& what) {
  if (!held) throw Broken(what);
}

struct Random {
  std::mt19937_64 engine;
  int below(int n) { return static_cast<int>(engine() % static_cast<std::uint64_t>(n)); }
  bool one_in(int n) { return below(n) == 0; }
};

}  // namespace rillgate::hub::test
