// What becomes of one user's requests, given what the tables have: each is judged against what those before it made,
// and all that they make is one transaction. Pure: it reads and writes nothing.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "reports/dynamodb/impl/layout.h"
#include "reports/dynamodb/impl/reads.h"
#include "reports/impl/report_id_source.h"
#include "reports/report_store.h"

namespace rillgate::reports::dynamodb {

struct CreateRequest {
  std::optional<IdempotencyKey> key;
};
using WriteRequest = std::variant<CreateRequest, ChangeRequest>;

class Turn {
 public:
  /// A transaction has 100 items at the most: the tip, and for each request a report, an event, a line of history, and
  /// a key or a source.
  static constexpr std::size_t kRequestsMax = 24;

  /// The items to read before requests are judged. Those of keys name reports that may have to be read as well.
  static void add_keys(const UserId& user, const WriteRequest& request, Keys& keys);
  /// The reports that known keys stand for and that are not among `items`.
  [[nodiscard]] static Keys missing_reports(const UserId& user, const Items& items);

  /// `items` is what was read; `now` the clock's time.
  Turn(const UserId& user, Items items, Time now, impl::ReportIdSource& ids);

  /// Whether the tables' items can be read. When not, nothing may be made of them.
  [[nodiscard]] bool is_damaged() const { return is_damaged_; }

  [[nodiscard]] Outcome<Change> make(const WriteRequest& request);

  [[nodiscard]] bool changes_nothing() const { return events_.empty(); }
  /// The number of the first event that it makes.
  [[nodiscard]] EventSeq first() const { return events_.front().seq; }
  /// The parameters of TransactWriteItems. `token` makes a repeat of it harmless, and marks its first event.
  [[nodiscard]] std::string transaction(const Tables& tables, std::chrono::milliseconds keep,
                                        std::string_view token) const;

 private:
  struct KeptReport {
    Report report;
    std::optional<Version> stored;  // none: made here
    bool is_changed = false;
  };
  struct NewKey {
    KeyMade made;
    std::optional<Time> replaces;  // an expired one that is still there
  };

  [[nodiscard]] Outcome<Change> create(const CreateRequest& request);
  [[nodiscard]] Outcome<Change> change(const ChangeRequest& request);
  /// Nothing: there is none.
  [[nodiscard]] KeptReport* find(const ReportId& report);
  [[nodiscard]] std::optional<KeyMade> find(const IdempotencyKey& key);
  Change record(KeptReport& kept);

  const UserId user_;
  const Items items_;
  const Time now_;
  impl::ReportIdSource& ids_;
  bool is_damaged_ = false;
  Tip stored_tip_;
  Tip tip_;
  std::map<ReportId, KeptReport> reports_;
  std::map<IdempotencyKey, NewKey> keys_;
  std::set<Source> sources_;
  std::vector<ReportEvent> events_;
};

}  // namespace rillgate::reports::dynamodb
