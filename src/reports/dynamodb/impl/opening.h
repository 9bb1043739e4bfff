// Finds out which store the tables are: the item `store` has its id, made by whoever comes first.
#pragma once

#include <atomic>
#include <deque>
#include <expected>

#include "reports/dynamodb/impl/client.h"
#include "reports/dynamodb/impl/layout.h"
#include "reports/ids.h"

namespace rillgate::reports::dynamodb {

class Opening {
 public:
  /// Both outlive it.
  Opening(Client& client, const Tables& tables) : client_(client), tables_(tables) {}

  /// Null until ready() succeeded once. Any thread.
  [[nodiscard]] const StoreId* id() const { return id_.load(std::memory_order_acquire); }

  /// Reads the id, or makes it, unless that is done. Many may ask at once; one does it.
  [[nodiscard]] Task<std::expected<void, CallError>> ready(SteadyTime deadline);
  [[nodiscard]] bool is_ready() const { return is_ready_; }
  /// The tables were out of reach, so they may be others when they are back: DynamoDB Local in memory forgets them.
  void doubt() { is_ready_ = false; }

 private:
  [[nodiscard]] Task<std::expected<void, CallError>> open(SteadyTime deadline);
  [[nodiscard]] Task<std::expected<StoreId, CallError>> read_or_make(SteadyTime deadline);

  Client& client_;
  const Tables& tables_;
  bool is_ready_ = false;
  Turnstile opening_;
  std::expected<void, CallError> last_;
  std::deque<StoreId> ids_;  // all there were; pointers to them are out
  std::atomic<const StoreId*> id_{nullptr};
};

}  // namespace rillgate::reports::dynamodb
