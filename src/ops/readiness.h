// Whether this node should be sent clients: what /readyz says. Whoever minds a dependency (a store, a broker) tells
// here when it goes down and when it is back.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace rillgate::ops {

/// Any thread.
class Readiness {
 public:
  /// From the first call on, the dependency has a line of its own. One that is not up yet begins with down().
  void up(std::string_view dependency);
  void down(std::string_view dependency, std::string_view reason);
  /// For good: the node is on its way out.
  void drain();

  struct Report {
    bool is_ready;     // all are up, and the node is not draining
    std::string json;  // one line a dependency
  };
  [[nodiscard]] Report report() const;

 private:
  mutable std::mutex mutex_;
  bool is_draining_ = false;
  std::map<std::string, std::optional<std::string>, std::less<>> reasons_;  // nothing = up
};

}  // namespace rillgate::ops
