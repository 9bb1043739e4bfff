// Which items there are, as JSON and back; dynamodb_store.h has the table of them. Pure.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "reports/report_store.h"

namespace rillgate::reports::dynamodb {

struct Tables {
  explicit Tables(const std::string& prefix) : reports(prefix + "reports"), events(prefix + "report_events") {}
  std::string reports;
  std::string events;
};

/// A user's newest event. Every change of the user's reports moves it on from what it was, so no two are made of the
/// same state.
struct Tip {
  EventSeq newest{};
  Time at;  // of that event; only where newest is not 0
};

/// What an idempotency key stands for.
struct KeyMade {
  ReportId report;
  Time at;
};

/// Attributes as JSON: `"user":{"S":"…"},…`.
class Attributes {
 public:
  Attributes& text(std::string_view name, std::string_view value);
  Attributes& number(std::string_view name, std::uint64_t value);
  Attributes& time(std::string_view name, Time value) {
    return number(name, static_cast<std::uint64_t>(value.time_since_epoch().count()));
  }
  /// `{…}`
  [[nodiscard]] std::string object() const { return '{' + json_ + '}'; }

 private:
  void begin(std::string_view name);
  std::string json_;
};

// Keys, each as a JSON object.
[[nodiscard]] std::string report_key(const UserId& user, const ReportId& report);
[[nodiscard]] std::string event_key(const UserId& user, EventSeq seq);
[[nodiscard]] std::string tip_key(const UserId& user);
[[nodiscard]] std::string idempotency_key(const UserId& user, const IdempotencyKey& key);
[[nodiscard]] std::string source_key(const Source& source);
[[nodiscard]] std::string store_key();

/// The `user` under which the history of a report stands.
[[nodiscard]] std::string history_partition(const UserId& user, const ReportId& report);

// Items. `turn` marks the first event of a transaction; empty: it is not the first.
[[nodiscard]] std::string report_item(const Report& report);
[[nodiscard]] std::string tip_item(const UserId& user, const Tip& tip);
[[nodiscard]] std::string event_item(const UserId& user, const ReportEvent& event, std::chrono::milliseconds keep,
                                     std::string_view turn);
[[nodiscard]] std::string history_item(const UserId& user, const ReportEvent& event);
[[nodiscard]] std::string key_item(const UserId& user, const IdempotencyKey& key, const KeyMade& made);
[[nodiscard]] std::string source_item(const Source& source);
[[nodiscard]] std::string store_item(const StoreId& id);

/// An item that came from a table. Nothing: it is not as this program writes it.
class Item {
 public:
  explicit Item(const boost::json::object& attributes) : attributes_(attributes) {}

  [[nodiscard]] std::optional<std::string_view> text(std::string_view name) const { return value(name, "S"); }
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name) const;
  [[nodiscard]] std::optional<Time> time(std::string_view name) const;

  [[nodiscard]] std::optional<Report> report(const UserId& user) const;
  [[nodiscard]] std::optional<Tip> tip() const;
  [[nodiscard]] std::optional<ReportEvent> event() const;
  /// `from` is the entry before it.
  [[nodiscard]] std::optional<HistoryEntry> history(std::optional<Status> from) const;
  [[nodiscard]] std::optional<KeyMade> key_made() const;
  [[nodiscard]] std::optional<StoreId> store() const;

 private:
  [[nodiscard]] std::optional<std::string_view> value(std::string_view name, std::string_view type) const;
  const boost::json::object& attributes_;
};

}  // namespace rillgate::reports::dynamodb
