#include "reports/dynamodb/impl/reads.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "reports/impl/rules.h"

namespace rillgate::reports::dynamodb {
namespace {

using std::chrono::steady_clock;

std::unexpected<CallError> damaged(const std::string& table) {
  return std::unexpected(CallError{Fault::kRejected, "an item of the table " + table + " is damaged"});
}

/// What a call that succeeded answers with, if it is what DynamoDB documents.
template <class Type>
const Type* member(const boost::json::object& answer, std::string_view name) {
  const boost::json::value* const found = answer.if_contains({name.data(), name.size()});
  if (found == nullptr) return nullptr;
  if constexpr (std::is_same_v<Type, boost::json::array>) {
    return found->if_array();
  } else {
    return found->if_object();
  }
}

/// The text of an item's key, as layout.h writes it.
std::optional<std::string> key_of(const boost::json::object& object) {
  const Item item(object);
  const auto user = item.text("user");
  if (!user) return std::nullopt;
  if (const auto report = item.text("report"); report && !item.number("sequence")) {
    return Attributes().text("user", *user).text("report", *report).object();
  }
  const auto sequence = item.number("sequence");
  if (!sequence) return std::nullopt;
  return Attributes().text("user", *user).number("sequence", *sequence).object();
}

std::string joined(const std::set<std::string>& keys) {
  std::string list;
  for (const std::string& key : keys) list.append(list.empty() ? "" : ",").append(key);
  return list;
}

std::string batch_of(const Tables& tables, const Keys& keys) {
  std::string json;
  const auto add = [&json](const std::string& table, const std::set<std::string>& its_keys) {
    if (its_keys.empty()) return;
    json += fmt::format(R"({}"{}":{{"ConsistentRead":true,"Keys":[{}]}})", json.empty() ? "" : ",", table,
                        joined(its_keys));
  };
  add(tables.reports, keys.reports);
  add(tables.events, keys.events);
  return json;
}

}  // namespace

ReportError Reads::failed(const CallError& error) {
  if (error.fault == Fault::kUnreachable || error.fault == Fault::kNoTable) context_.opening.doubt();
  return unavailable(error);
}

bool Reads::is_kept(Time at) const {
  return context_.keep == std::chrono::milliseconds::zero() || impl::is_kept(at, context_.clock(), context_.keep);
}

Task<Called<std::optional<Reads::Object>>> Reads::item(std::string table, std::string key, SteadyTime deadline) {
  if (!context_.opening.is_ready()) {
    auto ready = co_await context_.opening.ready(deadline);
    if (!ready) co_return std::unexpected(std::move(ready.error()));
  }
  std::string get = fmt::format(R"({{"TableName":"{}","ConsistentRead":true,"Key":{}}})", table, key);
  auto answer = co_await context_.client.call("GetItem", std::move(get), deadline);
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  if (const auto* const found = member<Object>(*answer, "Item")) co_return *found;
  co_return std::nullopt;
}

Task<Called<Items>> Reads::items(Keys keys, SteadyTime deadline) {
  if (!context_.opening.is_ready()) {
    auto ready = co_await context_.opening.ready(deadline);
    if (!ready) co_return std::unexpected(std::move(ready.error()));
  }
  Items found;
  std::string asked = batch_of(context_.tables, keys);
  for (int attempt = 1;; ++attempt) {
    std::string get = R"({"RequestItems":{)" + asked + "}}";
    auto answer = co_await context_.client.call("BatchGetItem", std::move(get), deadline);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    for (const std::string& table : {context_.tables.reports, context_.tables.events}) {
      const auto* const tables = member<Object>(*answer, "Responses");
      const auto* const list = tables == nullptr ? nullptr : member<boost::json::array>(*tables, table);
      if (list == nullptr) continue;
      for (const boost::json::value& one : *list) {
        const auto key = one.is_object() ? key_of(one.get_object()) : std::nullopt;
        if (!key) co_return damaged(table);
        found.emplace(*key, one.get_object());
      }
    }
    // What it had no capacity for is asked for again.
    const auto* const unread = member<Object>(*answer, "UnprocessedKeys");
    if (unread == nullptr || unread->empty()) co_return found;
    asked = boost::json::serialize(*unread);
    asked = asked.substr(1, asked.size() - 2);
    const bool may_go_on = co_await context_.client.pause(attempt + 1, deadline);
    if (attempt == Client::kAttemptsMax || !may_go_on) co_return std::unexpected(CallError{Fault::kThrottled, {}});
  }
}

Task<Called<std::vector<Reads::Object>>> Reads::query(Query query, SteadyTime deadline) {
  if (!context_.opening.is_ready()) {
    auto ready = co_await context_.opening.ready(deadline);
    if (!ready) co_return std::unexpected(std::move(ready.error()));
  }
  std::vector<Object> found;
  std::string start;
  // DynamoDB answers with 1 MB at the most and says where to go on; the deadline ends a history that is too long.
  for (;;) {
    std::string text =
        fmt::format(R"({{"TableName":"{}","ConsistentRead":true,"KeyConditionExpression":"#u = :u AND {}",)"
                    R"("ExpressionAttributeNames":{{"#u":"user","#s":"{}"}},)"
                    R"("ExpressionAttributeValues":{{":u":{{"S":"{}"}},":s":{}}},"ScanIndexForward":{}{}{}}})",
                    query.table, query.condition, query.sort, query.partition, query.bound, query.is_forward,
                    query.limit == 0 ? "" : fmt::format(R"(,"Limit":{})", query.limit - found.size()), start);
    auto answer = co_await context_.client.call("Query", std::move(text), deadline);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    if (boost::json::value* const list = answer->if_contains("Items"); list != nullptr && list->is_array()) {
      for (boost::json::value& one : list->get_array()) {
        if (!one.is_object()) co_return damaged(query.table);
        found.push_back(std::move(one.get_object()));
      }
    }
    const auto* const last = member<Object>(*answer, "LastEvaluatedKey");
    if (last == nullptr || (query.limit != 0 && found.size() >= query.limit)) co_return found;
    start = R"(,"ExclusiveStartKey":)" + boost::json::serialize(*last);
  }
}

Task<Called<Tip>> Reads::tip(UserId user, SteadyTime deadline) {
  auto found = co_await item(context_.tables.events, tip_key(user), deadline);
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (!*found) co_return Tip{};
  const auto read = Item(**found).tip();
  if (!read) co_return damaged(context_.tables.events);
  co_return *read;
}

Task<Outcome<Report>> Reads::get(UserId user, ReportId report) {
  auto found = co_await item(context_.tables.reports, report_key(user, report), steady_clock::now() + kAnswerTime);
  if (!found) co_return std::unexpected(failed(found.error()));
  if (!*found) co_return std::unexpected(NotFound{user, report});
  const auto read = Item(**found).report(user);
  if (!read) co_return std::unexpected(failed(damaged(context_.tables.reports).error()));
  co_return *read;
}

Task<Outcome<ReportPage>> Reads::list(ListRequest request) {
  const SteadyTime deadline = steady_clock::now() + kAnswerTime;
  // First the position: what is made after it may show on the page and is told by a stream as well.
  const auto position = co_await tip(request.user, deadline);
  if (!position) co_return std::unexpected(failed(position.error()));

  // One more than asked for tells whether there is a next page. The letter sorts behind all UUIDs.
  const std::string after = request.after ? request.after->text() : "g";
  Query newest_first{.table = context_.tables.reports,
                     .partition = request.user.text(),
                     .condition = "#s < :s",
                     .sort = "report",
                     .bound = R"({"S":")" + after + R"("})",
                     .is_forward = false,
                     .limit = request.limit + 1};
  const auto found = co_await query(std::move(newest_first), deadline);
  if (!found) co_return std::unexpected(failed(found.error()));

  ReportPage page{.reports = {}, .next = std::nullopt, .position = position->newest};
  for (const Object& one : *found) {
    if (page.reports.size() == request.limit) {
      page.next = page.reports.back().id;
      break;
    }
    const auto report = Item(one).report(request.user);
    if (!report) co_return std::unexpected(failed(damaged(context_.tables.reports).error()));
    page.reports.push_back(*report);
  }
  co_return page;
}

Task<Outcome<std::vector<HistoryEntry>>> Reads::history(UserId user, ReportId report) {
  Query oldest_first{.table = context_.tables.events,
                     .partition = history_partition(user, report),
                     .condition = "#s > :s",
                     .sort = "sequence",
                     .bound = R"({"N":"0"})"};
  const auto found = co_await query(std::move(oldest_first), steady_clock::now() + kAnswerTime);
  if (!found) co_return std::unexpected(failed(found.error()));
  if (found->empty()) co_return std::unexpected(NotFound{user, report});
  std::vector<HistoryEntry> entries;
  for (const Object& one : *found) {
    const auto entry = Item(one).history(entries.empty() ? std::nullopt : std::optional(entries.back().to));
    if (!entry) co_return std::unexpected(failed(damaged(context_.tables.events).error()));
    entries.push_back(*entry);
  }
  co_return entries;
}

Task<Outcome<EventSeq>> Reads::newest_seq(UserId user) {
  const auto found = co_await tip(user, steady_clock::now() + kAnswerTime);
  if (!found) co_return std::unexpected(failed(found.error()));
  co_return found->newest;
}

Task<Called<std::vector<ReportEvent>>> Reads::events_from(UserId user, EventSeq first, std::size_t limit,
                                                          SteadyTime deadline) {
  Query in_order{.table = context_.tables.events,
                 .partition = user.text(),
                 .condition = "#s >= :s",
                 .sort = "sequence",
                 .bound = fmt::format(R"({{"N":"{}"}})", value(first)),
                 .limit = limit};
  const auto found = co_await query(std::move(in_order), deadline);
  if (!found) co_return std::unexpected(found.error());
  std::vector<ReportEvent> events;
  for (const Object& one : *found) {
    const auto event = Item(one).event();
    if (!event) co_return damaged(context_.tables.events);
    // A page ends at a hole; what follows is the next one's, which then finds the hole at its beginning.
    if (!events.empty() && event->seq != next(events.back().seq)) break;
    events.push_back(*event);
  }
  co_return events;
}

Task<Outcome<EventPage>> Reads::events_after(EventsRequest request) {
  const SteadyTime deadline = steady_clock::now() + kAnswerTime;
  // The event that the reader has comes along: with it and without a hole after it, one call says everything.
  const EventSeq first = std::max(request.after, EventSeq{1});
  const std::size_t asked = request.limit + (request.after == first ? 1 : 0);
  auto events = co_await events_from(request.user, first, asked, deadline);
  if (!events) co_return std::unexpected(failed(events.error()));

  EventPage page;
  bool is_whole = !events->empty() && events->front().seq == first;
  const bool is_last = events->size() < asked;
  if (is_whole) page.newest = events->back().seq;
  if (is_whole && request.after == first) events->erase(events->begin());
  is_whole = is_whole && (events->empty() || is_kept(events->front().at));
  if (is_whole && !is_last) {
    const auto newest = co_await tip(request.user, deadline);
    if (!newest) co_return std::unexpected(failed(newest.error()));
    page.newest = std::max(page.newest, newest->newest);
  }
  if (is_whole) {
    page.events = *std::move(events);
    co_return page;
  }
  auto trimmed = co_await page_after_a_hole(request, deadline);
  if (!trimmed) co_return std::unexpected(failed(trimmed.error()));
  co_return *std::move(trimmed);
}

Task<Called<EventPage>> Reads::page_after_a_hole(EventsRequest request, SteadyTime deadline) {
  // Both in one transaction: the items of a change that is just being made become visible one by one.
  std::string get = fmt::format(
      R"({{"TransactItems":[{{"Get":{{"TableName":"{0}","Key":{1}}}}},{{"Get":{{"TableName":"{0}","Key":{2}}}}}]}})",
      context_.tables.events, tip_key(request.user), event_key(request.user, next(request.after)));
  EventPage page;
  std::optional<ReportEvent> following;
  for (int attempt = 1;; ++attempt) {
    auto answer = co_await context_.client.call("TransactGetItems", get, deadline);
    if (!answer && answer.error().fault == Fault::kConflict && attempt < Client::kAttemptsMax) {
      const bool may_go_on = co_await context_.client.pause(attempt + 1, deadline);
      if (may_go_on) continue;
    }
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    const auto* const both = member<boost::json::array>(*answer, "Responses");
    if (both == nullptr || both->size() != 2 || !(*both)[0].is_object() || !(*both)[1].is_object()) {
      co_return damaged(context_.tables.events);
    }
    if (const auto* const found = member<Object>((*both)[0].get_object(), "Item")) {
      const auto tip = Item(*found).tip();
      if (!tip) co_return damaged(context_.tables.events);
      page.newest = tip->newest;
    }
    if (const auto* const found = member<Object>((*both)[1].get_object(), "Item")) following = Item(*found).event();
    break;
  }
  if (page.newest < request.after) context_.opening.doubt();  // the reader has seen other tables
  if (page.newest <= request.after) co_return page;

  EventSeq first = next(request.after);
  if (!following || !is_kept(following->at)) {
    page.trimmed = true;
    const auto kept = co_await first_kept(request.user, next(first), page.newest, deadline);
    if (!kept) co_return std::unexpected(kept.error());
    first = *kept;
  }
  if (first > page.newest) co_return page;
  auto events = co_await events_from(request.user, first, request.limit, deadline);
  if (!events) co_return std::unexpected(std::move(events.error()));
  page.events = *std::move(events);
  if (!page.events.empty()) page.newest = std::max(page.newest, page.events.back().seq);
  co_return page;
}

Task<Called<EventSeq>> Reads::first_kept(UserId user, EventSeq begin, EventSeq newest, SteadyTime deadline) {
  std::uint64_t first = value(begin);
  std::uint64_t end = value(newest) + 1;
  while (first < end) {  // halves what is left, so 63 times at the most
    const std::uint64_t middle = first + (end - first) / 2;
    const auto found = co_await item(context_.tables.events, event_key(user, EventSeq{middle}), deadline);
    if (!found) co_return std::unexpected(found.error());
    const auto at = *found ? Item(**found).time("at") : std::nullopt;
    if (at && is_kept(*at)) {
      end = middle;
    } else {
      first = middle + 1;
    }
  }
  co_return EventSeq{first};
}

}  // namespace rillgate::reports::dynamodb
