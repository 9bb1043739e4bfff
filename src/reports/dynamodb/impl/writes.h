// Changes: one queue for each user, so that a user's changes are made and told in order, and what waits in it goes into
// one transaction.
//
// A turn reads what its requests are about, decides (turn.h), and writes all of it under the condition that nothing of
// what was read has changed. When another node was faster, it reads and decides again after a jittered pause. When the
// outcome of a transaction is not known (the answer was lost), the same one is sent again, which DynamoDB applies once
// within ten minutes; and as its first event carries its token, it is found even by a DynamoDB that has forgotten.
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
  /// A transaction whose outcome is not known.
  struct Doubt {
    EventSeq first;
    std::string token;
    Outcomes outcomes;
  };
  using Doubts = std::vector<Doubt>;

  Detached work_off(UserId user);
  [[nodiscard]] Task<Called<Outcomes>> turn(const UserId& user, const std::vector<Write>& writes);
  [[nodiscard]] Task<Called<Items>> read(const UserId& user, const std::vector<Write>& writes, const Doubts& doubts,
                                         SteadyTime deadline);

  const Context context_;
  impl::ReportIdSource ids_;
  std::map<UserId, std::deque<Write>> queues_;  // of the users whose queue is being worked off
};

}  // namespace rillgate::reports::dynamodb
