// Steps of a test in successive rounds of a reactor's loop.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "io/reactor.h"

namespace rillgate::test {

/// Runs one step in each round of the loop: what a step makes ready is told before the next one.
inline void run_steps(io::Reactor& reactor, const std::vector<std::function<void()>>& steps) {
  std::function<void(std::size_t)> go = [&](std::size_t index) {
    reactor.post([&, index] {
      if (index == steps.size()) {
        reactor.stop();
        return;
      }
      steps[index]();
      go(index + 1);
    });
  };
  go(0);
  reactor.run();
}

}  // namespace rillgate::test
