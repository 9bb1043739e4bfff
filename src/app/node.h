// One Rillgate node: everything wired together, and its life from start to drain to stop.
#pragma once

#include <chrono>
#include <expected>
#include <memory>

#include "base/error.h"
#include "ops/log.h"
#include "ops/settings.h"

namespace rillgate::app {

/// Belongs to the main thread.
class Node {
 public:
  /// `settings` and `log` outlive the node.
  Node(const ops::Settings& settings, ops::Logger& log);
  ~Node();

  /// Listens and serves. Fails when an address can't be had.
  [[nodiscard]] std::expected<void, Error> start();

  /// The stages of stopping. Between them time passes; the main thread waits for it, or for a second signal.
  /// 1. /readyz says 503, so that load balancers look elsewhere; all else goes on.
  void announce_drain();
  /// 2. New streams are refused, other answers end their connection, and streams end spread over `period`.
  void drain_streams(std::chrono::milliseconds period);
  /// Whether a stream is still open.
  [[nodiscard]] bool has_streams() const;
  /// 3. Posts are refused, and what is left is closed.
  void stop();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace rillgate::app
