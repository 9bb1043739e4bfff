#include "reports/dynamodb/impl/writes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace rillgate::reports::dynamodb {
namespace {

using std::chrono::steady_clock;

/// 128 random bits; DynamoDB takes up to 36 characters.
std::string random_token() {
  std::array<std::uint64_t, 2> random{};
  if (getentropy(random.data(), sizeof random) != 0) std::abort();  // a kernel older than 3.17
  return fmt::format("{:016x}{:016x}", random[0], random[1]);
}

}  // namespace

void Writes::add(const UserId& user, Write write) {
  const auto [queue, is_first] = queues_.try_emplace(user);
  queue->second.push_back(std::move(write));
  if (is_first) work_off(user);
}

Detached Writes::work_off(UserId user) {
  std::deque<Write>& queue = queues_[user];
  while (!queue.empty()) {
    std::vector<Write> writes;
    while (!queue.empty() && writes.size() < Turn::kRequestsMax) {
      writes.push_back(std::move(queue.front()));
      queue.pop_front();
    }
    auto outcomes = co_await turn(user, writes);
    if (outcomes) {
      for (std::size_t i = 0; i < writes.size(); ++i) writes[i].done(std::move((*outcomes)[i]));
      continue;
    }
    // Those behind would wait as long for the same.
    std::move(queue.begin(), queue.end(), std::back_inserter(writes));
    queue.clear();
    const ReportError error = context_.reads.failed(outcomes.error());
    for (Write& write : writes) write.done(std::unexpected(error));
  }
  queues_.erase(user);
}

Task<Called<Items>> Writes::read(const UserId& user, const std::vector<Write>& writes, const Attempts& attempts,
                                 SteadyTime deadline) {
  Keys keys;
  keys.events.insert(tip_key(user));
  for (const Write& write : writes) Turn::add_keys(user, write.request, keys);
  for (const Attempt& attempt : attempts) keys.events.insert(event_key(user, attempt.first));
  auto items = co_await context_.reads.items(std::move(keys), deadline);
  if (!items) co_return items;

  Keys missing = Turn::missing_reports(user, *items);
  if (missing.reports.empty()) co_return items;
  auto more = co_await context_.reads.items(std::move(missing), deadline);
  if (!more) co_return more;
  items->merge(*more);
  co_return items;
}

Task<Called<Writes::Outcomes>> Writes::turn(const UserId& user, const std::vector<Write>& writes) {
  const SteadyTime deadline = steady_clock::now() + kTurnTime;
  Attempts attempts;
  for (int decision = 1;; ++decision) {
    auto items = co_await read(user, writes, attempts, deadline);
    if (!items) co_return std::unexpected(std::move(items.error()));
    for (Attempt& attempt : attempts) {
      const auto event = items->find(event_key(user, attempt.first));
      const bool is_own = event != items->end() && Item(event->second).text("turn") == attempt.token;
      if (is_own) co_return std::move(attempt.outcomes);
    }

    Turn turn(user, *std::move(items), context_.clock(), ids_);
    Outcomes outcomes;
    for (const Write& write : writes) outcomes.push_back(turn.make(write.request));
    if (turn.is_damaged()) co_return std::unexpected(CallError{Fault::kRejected, "an item of the user is damaged"});
    if (turn.changes_nothing()) co_return outcomes;

    const std::string token = random_token();
    std::string transaction = turn.transaction(context_.tables, context_.keep, token);
    auto made = co_await context_.client.call("TransactWriteItems", std::move(transaction), deadline);
    if (made) co_return outcomes;
    CallError& error = made.error();
    if (error.fault != Fault::kConflict || decision == kDecisionsMax) co_return std::unexpected(std::move(error));
    attempts.push_back({turn.first(), token, std::move(outcomes)});
    const bool may_go_on = co_await context_.client.pause(decision + 1, deadline);
    if (!may_go_on) co_return std::unexpected(std::move(error));
  }
}

Task<Outcome<void>> Writes::probe() {
  const SteadyTime deadline = steady_clock::now() + kTurnTime;
  Keys keys;
  keys.events.insert(store_key());
  const auto opened = co_await context_.reads.items(std::move(keys), deadline);
  if (!opened) co_return std::unexpected(context_.reads.failed(opened.error()));
  std::string transaction = fmt::format(
      R"({{"TransactItems":[{{"Put":{{"TableName":"{}","Item":{}}}}},{{"Put":{{"TableName":"{}","Item":{}}}}}]}})",
      context_.tables.reports, Attributes().text("user", "probe").text("report", "probe").object(),
      context_.tables.events, Attributes().text("user", "probe").number("sequence", 0).object());
  const auto made = co_await context_.client.call("TransactWriteItems", std::move(transaction), deadline);
  // A conflict is with another node's probe, and shows as well that changes can be made.
  if (!made && made.error().fault != Fault::kConflict) co_return std::unexpected(context_.reads.failed(made.error()));
  co_return Outcome<void>{};
}

}  // namespace rillgate::reports::dynamodb
