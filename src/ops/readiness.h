// Whether this node should be sent clients: what /readyz says. Whoever minds a dependency (a store, a broker) tells
// here when it goes down and when it is back.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace rillgate::ops {

/// Any thread.
class Readiness {
 public:
  /// From the first call on, the dependency has a line of its own. One that is not up yet begins with down().
  void up(std::string_view dependency);
  void down(std::string_view dependency, std::string_view reason);
  /// It serves, but not in all its parts: clients may be sent here all the same.
  void partly(std::string_view dependency, std::string_view reason);
  /// For good: the node is on its way out.
  void drain();

  struct Report {
    bool is_ready;     // all are up, and the node is not draining
    std::string json;  // one line a dependency
  };
  [[nodiscard]] Report report() const;

 private:
  struct State {
    std::string_view status;  // "ok", "partly", "down"
    std::string reason;
  };

  mutable std::mutex mutex_;
  bool is_draining_ = false;
  std::map<std::string, State, std::less<>> states_;
};

}  // namespace rillgate::ops
