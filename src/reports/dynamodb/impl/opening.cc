#include "reports/dynamodb/impl/opening.h"

#include <fmt/format.h>

#include <utility>

namespace rillgate::reports::dynamodb {

Task<std::expected<void, CallError>> Opening::ready(SteadyTime deadline) {
  if (is_ready_) co_return {};
  if (opening_.is_taken()) {
    co_await opening_.until_left();
    co_return last_;
  }
  opening_.enter();
  auto opened = co_await open(deadline);
  is_ready_ = opened.has_value();
  last_ = opened;
  opening_.leave();
  co_return opened;
}

Task<std::expected<void, CallError>> Opening::open(SteadyTime deadline) {
  auto found = co_await read_or_make(deadline);
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (ids_.empty() || ids_.back() != *found) {
    ids_.push_back(*std::move(found));
    id_.store(&ids_.back(), std::memory_order_release);
  }
  co_return {};
}

Task<std::expected<StoreId, CallError>> Opening::read_or_make(SteadyTime deadline) {
  const std::string get =
      fmt::format(R"({{"TableName":"{}","ConsistentRead":true,"Key":{}}})", tables_.events, store_key());
  constexpr int kRounds = 3;  // read; make; read what another one made at the same time
  for (int round = 0; round < kRounds; ++round) {
    auto answer = co_await client_.call("GetItem", get, deadline);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    if (const boost::json::value* const item = answer->if_contains("Item"); item != nullptr && item->is_object()) {
      auto id = Item(item->get_object()).store();
      if (id) co_return *std::move(id);
      co_return std::unexpected(CallError{Fault::kRejected, "the tables were made by a newer Rillgate"});
    }
    StoreId id = StoreId::random();
    const std::string put =
        fmt::format(R"json({{"TableName":"{}","Item":{},"ConditionExpression":"attribute_not_exists(#u)",)json"
                    R"json("ExpressionAttributeNames":{{"#u":"user"}}}})json",
                    tables_.events, store_item(id));
    auto made = co_await client_.call("PutItem", put, deadline);
    if (made) co_return id;
    if (made.error().fault != Fault::kConflict) co_return std::unexpected(std::move(made.error()));
  }
  co_return std::unexpected(CallError{Fault::kConflict, "the store's id is made and gone again"});
}

}  // namespace rillgate::reports::dynamodb
