// Any sequence of operations, against a model that is too simple to be wrong: a list of changes, and everything else
// counted out of it.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "unit/reports/support.h"

namespace rillgate::reports::testing {
namespace {

struct Made {
  UserId user;
  ReportId report;
  Status to;
  Time at;
};

struct KeyUse {
  UserId user;
  std::uint8_t key;
  ReportId report;
  Time at;
};

class Model {
 public:
  std::vector<Made> changes;
  std::vector<KeyUse> keys;
  std::vector<std::int64_t> offsets;  // of the records that were applied

  [[nodiscard]] std::vector<HistoryEntry> history(const UserId& user, const ReportId& report) const {
    std::vector<HistoryEntry> result;
    for (const Made& change : changes) {
      if (change.user != user || change.report != report) continue;
      const auto from = result.empty() ? std::nullopt : std::optional(result.back().to);
      result.push_back({Version{result.size() + 1}, from, change.to, change.at});
    }
    return result;
  }
  [[nodiscard]] std::vector<ReportEvent> events(const UserId& user) const {
    std::vector<ReportEvent> result;
    std::map<ReportId, std::uint64_t> versions;
    for (const Made& change : changes) {
      if (change.user != user) continue;
      result.push_back(
          {EventSeq{result.size() + 1}, change.report, Version{++versions[change.report]}, change.to, change.at});
    }
    return result;
  }
  [[nodiscard]] std::optional<Report> report(const UserId& user, const ReportId& id) const {
    const auto steps = history(user, id);
    if (steps.empty()) return std::nullopt;
    return Report{user, id, steps.back().to, steps.back().version, steps.front().at, steps.back().at};
  }
  [[nodiscard]] std::vector<ReportId> reports(const UserId& user) const {
    std::vector<ReportId> result;
    for (const Made& change : changes) {
      if (change.user == user && std::ranges::count(result, change.report) == 0) result.push_back(change.report);
    }
    std::ranges::reverse(result);
    return result;
  }
};

constexpr std::chrono::milliseconds kKeep = std::chrono::hours(2);

/// Does one random thing to both and compares what comes of it.
class Step {
 public:
  Step(ReportStore& store, ManualClock& clock, Model& model) : calls_(store), clock_(clock), model_(model) {}

  void run() {
    switch (*rc::gen::inRange(0, 12)) {
      case 0:
      case 1:
        return create();
      case 2:
        return clock_.advance(std::chrono::minutes(*rc::gen::inRange(0, 300)));
      case 3:
        return read();
      default:
        return change();
    }
  }
  void read() {
    const UserId user = any_user();
    read_events(user);
    read_list(user);
  }

 private:
  UserId any_user() { return user_number(*rc::gen::inRange<std::uint8_t>(0, 3)); }
  /// Mostly one that exists, of this user or of another.
  ReportId any_report() {
    if (model_.changes.empty() || *rc::gen::inRange(0, 20) == 0) return {};
    return model_.changes[*rc::gen::inRange<std::size_t>(0, model_.changes.size())].report;
  }

  void create() {
    const UserId user = any_user();
    const auto key_number = *rc::gen::inRange<std::uint8_t>(0, 6);
    const bool with_key = key_number < 4;
    const auto result = calls_.create(
        user, with_key ? std::optional(key(std::string(1, static_cast<char>('a' + key_number)))) : std::nullopt);
    RC_ASSERT(result.has_value());
    const auto known = std::ranges::find_if(model_.keys, [&](const KeyUse& use) {
      return use.user == user && use.key == key_number && clock_.now() - use.at < kIdempotencyKept;
    });
    if (with_key && known != model_.keys.end()) {
      RC_ASSERT(!result->event);
      RC_ASSERT(std::optional(result->report) == model_.report(user, known->report));
      return;
    }
    model_.changes.push_back({user, result->report.id, kFirstStatus, clock_.now()});
    if (with_key) model_.keys.push_back({user, key_number, result->report.id, clock_.now()});
    expect_made(*result);
  }

  void change() {
    ChangeRequest request{.user = any_user(), .report = any_report(), .to = *rc::gen::elementOf(kStatuses)};
    if (*rc::gen::inRange(0, 4) == 0) request.if_version = Version{*rc::gen::inRange<std::uint64_t>(1, 4)};
    if (*rc::gen::inRange(0, 4) == 0) request.source = Source{"updates", 0, *rc::gen::inRange<std::int64_t>(0, 10)};
    const auto before = model_.report(request.user, request.report);
    const auto result = calls_.change(request);

    if (!before) {
      RC_ASSERT(result.error() == ReportError(NotFound{request.user, request.report}));
    } else if (request.source && std::ranges::count(model_.offsets, request.source->offset) != 0) {
      RC_ASSERT(result.has_value());
      RC_ASSERT(!result->event);
      RC_ASSERT(result->report == *before);
    } else if (request.if_version && request.if_version != before->version) {
      RC_ASSERT(result.error() == ReportError(VersionMismatch{*request.if_version, before->version}));
    } else if (std::ranges::count(kTransitions, Transition{before->status, request.to}) == 0) {
      RC_ASSERT(result.error() == ReportError(NotAllowed{before->status, request.to}));
    } else {
      RC_ASSERT(result.has_value());
      model_.changes.push_back({request.user, request.report, request.to, clock_.now()});
      if (request.source) model_.offsets.push_back(request.source->offset);
      expect_made(*result);
    }
  }

  void expect_made(const Change& change) {
    const UserId& user = change.report.user;
    RC_ASSERT(std::optional(change.report) == model_.report(user, change.report.id));
    RC_ASSERT(change.event == std::optional(model_.events(user).back()));
    RC_ASSERT(calls_.get(user, change.report.id).value() == change.report);
    RC_ASSERT(calls_.history(user, change.report.id).value() == model_.history(user, change.report.id));
  }

  void read_events(const UserId& user) {
    const auto all = model_.events(user);
    const EventsRequest request{.user = user,
                                .after = EventSeq{*rc::gen::inRange<std::uint64_t>(0, all.size() + 2)},
                                .limit = *rc::gen::inRange<std::size_t>(1, 5)};
    std::vector<ReportEvent> kept;
    std::ranges::copy_if(all, std::back_inserter(kept),
                         [&](const auto& event) { return clock_.now() - event.at < kKeep; });
    std::vector<ReportEvent> expected;
    std::ranges::copy_if(kept, std::back_inserter(expected),
                         [&](const auto& event) { return event.seq > request.after; });
    expected.resize(std::min(expected.size(), request.limit));

    const EventPage page = calls_.events_after(request).value();
    RC_ASSERT(page.events == expected);
    RC_ASSERT(page.newest == EventSeq{all.size()});
    RC_ASSERT(page.trimmed == (all.size() - kept.size() > value(request.after)));
    RC_ASSERT(calls_.newest_seq(user).value() == page.newest);
  }

  void read_list(const UserId& user) {
    std::vector<ReportId> listed;
    ListRequest request{.user = user, .limit = *rc::gen::inRange<std::size_t>(1, 5)};
    do {
      const ReportPage page = calls_.list(request).value();
      for (const Report& report : page.reports) {
        RC_ASSERT(std::optional(report) == model_.report(user, report.id));
        listed.push_back(report.id);
      }
      RC_ASSERT(page.position == EventSeq{model_.events(user).size()});
      request.after = page.next;
    } while (request.after);
    RC_ASSERT(listed == model_.reports(user));
  }

  Blocking calls_;
  ManualClock& clock_;
  Model& model_;
};

class EveryStoreModel : public ::testing::TestWithParam<StoreKind> {};

INSTANTIATE_TEST_SUITE_P(Store, EveryStoreModel, ::testing::ValuesIn(store_kinds()),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(EveryStoreModel, DoesWhatTheModelDoesWhateverIsAsked) {
  const StoreKind kind = GetParam();
  EXPECT_TRUE(rc::check([&kind] {
    TemporaryDirectory directory;
    ManualClock clock;
    const StoreOptions options{.clock = clock.clock(), .keep = kKeep};
    auto store = kind.open(directory.path(), options);
    Model model;
    Step step(*store, clock, model);
    const int steps = *rc::gen::inRange(1, 80);
    for (int i = 0; i < steps; ++i) step.run();
    step.read();
  }));
}

}  // namespace
}  // namespace rillgate::reports::testing
