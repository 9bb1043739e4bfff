// Changes: one queue for each user, so that a user's changes are made and told in order, and what waits in it goes into
// one transaction.
//
// A turn reads what its requests are about, decides (turn.h), and writes all of it under the condition that nothing of
// what was read has changed. When another node was faster, it reads and decides again after a jittered pause. A
// transaction whose answer was lost is sent again as it is, and DynamoDB applies it once, as far as it remembers the
// token. For one that has forgotten (it was started anew, or ten minutes have passed) the refused transaction may have
// been made by the turn itself; its first event carries the token, and by that the turn knows it for its own.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "reports/dynamodb/impl/turn.h"

namespace rillgate::reports::dynamodb {

struct Write {
  WriteRequest request;
  Done<Change> done;
};

class Writes {
 public:
  /// From a turn's begin to its end; what waited behind one that fails is answered with it.
  static constexpr std::chrono::milliseconds kTurnTime{8'000};
  /// Each time another node was faster.
  static constexpr int kDecisionsMax = 25;

  struct Context {
    Client& client;
    Reads& reads;
    const Tables& tables;
    const WallClock& clock;
    std::chrono::milliseconds keep;
  };
  explicit Writes(const Context& context) : context_(context) {}

  /// The queues are bounded together, by the store's waiting_max.
  void add(const UserId& user, Write write);

  /// Writes to both tables what nobody reads.
  [[nodiscard]] Task<Outcome<void>> probe();

 private:
  using Outcomes = std::vector<Outcome<Change>>;
  /// A transaction that was refused: by another node's change, or by itself.
  struct Attempt {
    EventSeq first;
    std::string token;
    Outcomes outcomes;
  };
  using Attempts = std::vector<Attempt>;

  Detached work_off(UserId user);
  [[nodiscard]] Task<Called<Outcomes>> turn(const UserId& user, const std::vector<Write>& writes);
  [[nodiscard]] Task<Called<Items>> read(const UserId& user, const std::vector<Write>& writes, const Attempts& attempts,
                                         SteadyTime deadline);

  const Context context_;
  impl::ReportIdSource ids_;
  std::map<UserId, std::deque<Write>> queues_;  // of the users whose queue is being worked off
};

}  // namespace rillgate::reports::dynamodb
