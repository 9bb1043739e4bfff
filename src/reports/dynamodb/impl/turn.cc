#include "reports/dynamodb/impl/turn.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "reports/impl/rules.h"

namespace rillgate::reports::dynamodb {
namespace {

/// The Puts of a transaction, as JSON.
class Puts {
 public:
  void if_absent(const std::string& table, const std::string& item) {
    add(table, item, "attribute_not_exists(#u)", R"("#u":"user")", "");
  }
  /// `value` typed, as in an item.
  void if_still(const std::string& table, const std::string& item, std::string_view attribute,
                const std::string& value) {
    add(table, item, "#a = :a", fmt::format(R"("#a":"{}")", attribute), value);
  }
  void if_absent_or_still(const std::string& table, const std::string& item, std::string_view attribute,
                          const std::string& value) {
    add(table, item, "attribute_not_exists(#u) OR #a = :a", fmt::format(R"("#u":"user","#a":"{}")", attribute), value);
  }
  [[nodiscard]] const std::string& json() const { return json_; }

 private:
  void add(const std::string& table, const std::string& item, std::string_view condition, std::string_view names,
           const std::string& value) {
    fmt::format_to(std::back_inserter(json_),
                   R"({}{{"Put":{{"TableName":"{}","Item":{},"ConditionExpression":"{}",)"
                   R"("ExpressionAttributeNames":{{{}}}{}}}}})",
                   json_.empty() ? "" : ",", table, item, condition, names,
                   value.empty() ? "" : fmt::format(R"(,"ExpressionAttributeValues":{{":a":{}}})", value));
  }
  std::string json_;
};

std::string typed(std::uint64_t number) {
  return fmt::format(R"({{"N":"{}"}})", number);
}

const boost::json::object* find_item(const Items& items, const std::string& key) {
  const auto found = items.find(key);
  return found == items.end() ? nullptr : &found->second;
}

}  // namespace

void Turn::add_keys(const UserId& user, const WriteRequest& request, Keys& keys) {
  if (const auto* const change = std::get_if<ChangeRequest>(&request)) {
    keys.reports.insert(report_key(user, change->report));
    if (change->source) keys.events.insert(source_key(*change->source));
  } else if (const auto& key = std::get<CreateRequest>(request).key) {
    keys.events.insert(idempotency_key(user, *key));
  }
}

Keys Turn::missing_reports(const UserId& user, const Items& items) {
  Keys missing;
  for (const auto& [key, object] : items) {
    const auto made = Item(object).key_made();
    const bool is_key = made && Item(object).number("expires") && !Item(object).number("version");
    if (!is_key) continue;
    std::string report = report_key(user, made->report);
    if (!items.contains(report)) missing.reports.insert(std::move(report));
  }
  return missing;
}

Turn::Turn(const UserId& user, Items items, Time now, impl::ReportIdSource& ids)
    : user_(user), items_(std::move(items)), now_(now), ids_(ids) {
  if (const auto* const object = find_item(items_, tip_key(user_))) {
    const auto tip = Item(*object).tip();
    is_damaged_ = !tip;
    stored_tip_ = tip.value_or(Tip{});
  }
  tip_ = stored_tip_;
}

Outcome<Change> Turn::make(const WriteRequest& request) {
  if (const auto* const change_request = std::get_if<ChangeRequest>(&request)) return change(*change_request);
  return create(std::get<CreateRequest>(request));
}

Turn::KeptReport* Turn::find(const ReportId& report) {
  if (const auto known = reports_.find(report); known != reports_.end()) return &known->second;
  const auto* const object = find_item(items_, report_key(user_, report));
  if (object == nullptr) return nullptr;
  const auto stored = Item(*object).report(user_);
  if (!stored) {
    is_damaged_ = true;
    return nullptr;
  }
  return &reports_.emplace(report, KeptReport{*stored, stored->version}).first->second;
}

std::optional<KeyMade> Turn::find(const IdempotencyKey& key) {
  if (const auto made = keys_.find(key); made != keys_.end()) return made->second.made;
  const auto* const object = find_item(items_, idempotency_key(user_, key));
  if (object == nullptr) return std::nullopt;
  const auto stored = Item(*object).key_made();
  is_damaged_ = is_damaged_ || !stored;
  return stored;
}

Change Turn::record(KeptReport& kept) {
  kept.is_changed = true;
  tip_ = {next(tip_.newest), kept.report.updated_at};
  events_.push_back(impl::event_of(kept.report, tip_.newest));
  return {kept.report, events_.back()};
}

Outcome<Change> Turn::create(const CreateRequest& request) {
  std::optional<Time> expired;
  if (request.key) {
    if (const auto known = find(*request.key)) {
      if (impl::is_kept(known->at, now_, kIdempotencyKept)) {
        const KeptReport* const kept = find(known->report);
        if (kept == nullptr) return std::unexpected(NotFound{user_, known->report});
        return Change{kept->report, std::nullopt};
      }
      expired = known->at;
    }
  }
  const Time at = tip_.newest == EventSeq{0} ? now_ : std::max(now_, tip_.at);
  // Of that time, not of the clock's: a node whose clock lags still makes the newest id.
  const ReportId id = ids_.next(at);
  if (request.key) keys_.insert_or_assign(*request.key, NewKey{{id, now_}, expired});
  const Report report{.user = user_, .id = id, .created_at = at, .updated_at = at};
  return record(reports_.emplace(id, KeptReport{report, std::nullopt}).first->second);
}

Outcome<Change> Turn::change(const ChangeRequest& request) {
  KeptReport* const kept = find(request.report);
  if (kept == nullptr) return std::unexpected(NotFound{user_, request.report});
  if (request.source) {
    const bool is_known = find_item(items_, source_key(*request.source)) != nullptr;
    if (is_known || sources_.contains(*request.source)) return Change{kept->report, std::nullopt};
  }
  const Time at = tip_.newest == EventSeq{0} ? now_ : std::max(now_, tip_.at);
  auto after = impl::changed(kept->report, request, at);
  if (!after) return std::unexpected(std::move(after.error()));
  if (request.source) sources_.insert(*request.source);
  kept->report = *after;
  return record(*kept);
}

std::string Turn::transaction(const Tables& tables, std::chrono::milliseconds keep, std::string_view token) const {
  Puts puts;
  if (stored_tip_.newest == EventSeq{0}) {
    puts.if_absent(tables.events, tip_item(user_, tip_));
  } else {
    puts.if_still(tables.events, tip_item(user_, tip_), "newest", typed(value(stored_tip_.newest)));
  }
  for (const auto& [id, kept] : reports_) {
    if (!kept.is_changed) continue;
    if (kept.stored) {
      puts.if_still(tables.reports, report_item(kept.report), "version", typed(value(*kept.stored)));
    } else {
      puts.if_absent(tables.reports, report_item(kept.report));
    }
  }
  for (const ReportEvent& event : events_) {
    const bool is_first = event.seq == events_.front().seq;
    puts.if_absent(tables.events, event_item(user_, event, keep, is_first ? token : std::string_view{}));
    puts.if_absent(tables.events, history_item(user_, event));
  }
  for (const auto& [key, made] : keys_) {
    const std::string item = key_item(user_, key, made.made);
    if (made.replaces) {
      puts.if_absent_or_still(tables.events, item, "at",
                              typed(static_cast<std::uint64_t>(made.replaces->time_since_epoch().count())));
    } else {
      puts.if_absent(tables.events, item);
    }
  }
  for (const Source& source : sources_) puts.if_absent(tables.events, source_item(source));
  return fmt::format(R"({{"ClientRequestToken":"{}","TransactItems":[{}]}})", token, puts.json());
}

}  // namespace rillgate::reports::dynamodb
