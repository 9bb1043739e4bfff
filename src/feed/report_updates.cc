#include "feed/report_updates.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

namespace rillgate::feed {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Between two attempts while the store is down, or the letters don't get through.
constexpr milliseconds kRetryPause{500};
/// A node that gives a partition back waits so long for what is under way.
constexpr milliseconds kPatience{2'000};

std::unexpected<BadRecord> bad(std::string what) {
  return std::unexpected(BadRecord{Unreadable::kBadUpdate, std::move(what)});
}

}  // namespace

std::expected<reports::ChangeRequest, BadRecord> read_update(const kafka::Record& record, const std::string& topic) {
  constexpr std::string_view kForm = R"(it is to be {"userId":UUID,"id":REPORT-ID,"status":STATUS})";
  boost::json::error_code error;
  boost::json::value value;
  if (record.value) value = boost::json::parse({record.value->data(), record.value->size()}, error);
  const boost::json::object* const object = value.if_object();
  if (error || object == nullptr) return bad(fmt::format("the value is no JSON object; {}", kForm));
  const auto text = [&](const char* name) -> std::optional<std::string_view> {
    const boost::json::value* const member = object->if_contains(name);
    if (member == nullptr || !member->is_string()) return std::nullopt;
    return std::string_view(member->get_string().data(), member->get_string().size());
  };
  for (const char* const name : {"userId", "id", "status"}) {
    if (!text(name)) return bad(fmt::format("the member '{}' is missing or no string; {}", name, kForm));
  }
  const auto user = reports::UserId::parse(*text("userId"));
  if (!user) return bad(fmt::format("the member 'userId': {}", user.error().what));
  const auto report = reports::ReportId::parse(*text("id"));
  if (!report) return bad(fmt::format("the member 'id': {}", report.error().what));
  const auto to = reports::parse_status(*text("status"));
  if (!to) return bad(to.error().what);
  return reports::ChangeRequest{
      .user = *user,
      .report = *report,
      .to = *to,
      .source = reports::Source{.topic = topic,
                                .partition = static_cast<std::int32_t>(record.place.partition),
                                .offset = static_cast<std::int64_t>(record.place.offset)}};
}

ReportUpdates::ReportUpdates(Options options, reports::ReportService& service, kafka::PartitionGroup& group,
                             kafka::Producer& producer, DeadLetterCounts& counts)
    : options_(std::move(options)), service_(service), group_(group), producer_(producer), counts_(counts) {}

// ---- The group's thread

std::optional<std::uint64_t> ReportUpdates::on_assigned(std::uint32_t partition,
                                                        std::optional<std::uint64_t> committed) {
  const std::lock_guard lock(mutex_);
  Lane& lane = lanes_[partition];
  lane.is_owned = true;
  ++lane.ownership;
  lane.next = lane.committed = committed.value_or(0);
  return lane.next;
}

std::optional<std::uint64_t> ReportUpdates::on_revoked(std::uint32_t partition) {
  std::unique_lock lock(mutex_);
  Lane& lane = lanes_[partition];
  lane.is_owned = false;  // nothing new is begun
  // One wait in vain is enough: the store does not answer.
  if (!is_stuck_) is_stuck_ = !settled_.wait_for(lock, kPatience, [&] { return is_quiet(lane); });
  settle_front(lane);
  const std::uint64_t done = lane.items.empty() ? lane.next : lane.items.front().offset;
  const std::uint64_t ownership = lane.ownership;
  lane = {.ownership = ownership + 1};
  return done;
}

void ReportUpdates::on_record(const kafka::Record& record) {
  Work work;
  {
    const std::lock_guard lock(mutex_);
    Lane& lane = lanes_[record.place.partition];
    lane.next = record.place.offset + 1;
    Item item{.offset = record.place.offset};
    if (record.key) item.key = std::string(*record.key);
    if (record.value) item.value = std::string(*record.value);
    auto request = read_update(record, options_.topic);
    if (request) {
      item.request = *std::move(request);
    } else {
      refuse(record.place.partition, item, std::move(request.error()));
    }
    lane.items.push_back(std::move(item));
    if (lane.items.size() >= kWindowMax) {
      lane.is_resting = true;
      group_.rest(options_.topic, record.place.partition);
    }
    work = plan(record.place.partition, lane);
  }
  carry_out(std::move(work));
}

void ReportUpdates::on_end(kafka::Place next) {
  const std::lock_guard lock(mutex_);
  lanes_[next.partition].next = next.offset;
}

void ReportUpdates::on_turn() {
  std::vector<Work> works;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [partition, lane] : lanes_) {
      if (!lane.is_owned) continue;
      works.push_back(plan(partition, lane));
      settle_front(lane);
      const std::uint64_t done = lane.items.empty() ? lane.next : lane.items.front().offset;
      if (done != lane.committed) group_.commit(options_.topic, {partition, lane.committed = done});
      if (lane.is_resting && lane.items.size() <= kWindowMax / 2) {
        lane.is_resting = false;
        group_.read_from(options_.topic, {partition, lane.next});
      }
    }
  }
  for (Work& work : works) carry_out(std::move(work));
}

// ---- Any of the threads

/// What can be begun now: of each user the first record that is not settled.
ReportUpdates::Work ReportUpdates::plan(std::uint32_t partition, Lane& lane) {
  Work work;
  if (!lane.is_owned || steady_clock::now() < lane.retry_at) return work;
  std::set<reports::UserId> busy;
  for (Item& item : lane.items) {
    const Ticket ticket{partition, lane.ownership, item.offset};
    switch (item.state) {
      case State::kWaiting:
        if (!busy.insert(item.request.user).second) break;
        item.state = State::kUnderWay;
        work.changes.emplace_back(ticket, item.request);
        break;
      case State::kUnderWay:
        busy.insert(item.request.user);
        break;
      case State::kToSetAside: {
        kafka::Record record(nullptr);
        record.place = {partition, item.offset};
        record.key = item.key;
        record.value = item.value;
        item.state = State::kSetAside;
        work.letters.emplace_back(ticket, dead_letter(options_.dead_topic, options_.topic, record, item.refusal.what));
        break;
      }
      case State::kSetAside:
      case State::kSettled:
        break;
    }
  }
  return work;
}

void ReportUpdates::carry_out(Work work) {
  for (auto& [ticket, request] : work.changes) {
    service_.change(std::move(request), [this, ticket](const auto& result) { on_changed(ticket, result); });
  }
  for (auto& [ticket, letter] : work.letters) {
    producer_.send(std::move(letter), [this, ticket](const auto& written) { on_letter(ticket, written.has_value()); });
  }
}

void ReportUpdates::on_changed(const Ticket& ticket,
                               const std::expected<reports::Change, reports::ReportError>& result) {
  const auto* const failure = result ? nullptr : std::get_if<reports::Unavailable>(&result.error());
  if (failure != nullptr && !failure->busy) options_.on_store_down(*failure);
  Work work;
  {
    const std::lock_guard lock(mutex_);
    Item* const item = find(ticket);
    if (item == nullptr) return;
    Lane& lane = lanes_[ticket.partition];
    if (failure != nullptr) {
      item->state = State::kWaiting;
      lane.retry_at = steady_clock::now() + kRetryPause;
    } else if (result) {
      item->state = State::kSettled;
    } else {
      refuse(ticket.partition, *item, {Unreadable::kRefusedUpdate, reports::describe(result.error())});
    }
    is_stuck_ = false;
    work = plan(ticket.partition, lane);
    settled_.notify_all();
  }
  carry_out(std::move(work));
}

void ReportUpdates::on_letter(const Ticket& ticket, bool is_written) {
  const std::lock_guard lock(mutex_);
  Item* const item = find(ticket);
  if (item == nullptr) return;
  if (is_written) {
    counts_.add(item->refusal.why);
    item->state = State::kSettled;
  } else {
    item->state = State::kToSetAside;  // the next turn tries again
    lanes_[ticket.partition].retry_at = steady_clock::now() + kRetryPause;
  }
  settled_.notify_all();
}

void ReportUpdates::refuse(std::uint32_t partition, Item& item, BadRecord why) {
  item.state = State::kToSetAside;
  item.refusal = std::move(why);
  options_.on_bad_record({partition, item.offset}, item.refusal);
}

/// Null when the partition is no longer this node's, or is so anew.
ReportUpdates::Item* ReportUpdates::find(const Ticket& ticket) {
  Lane& lane = lanes_[ticket.partition];
  if (lane.ownership != ticket.ownership) return nullptr;
  const auto found = std::ranges::lower_bound(lane.items, ticket.offset, {}, &Item::offset);
  return found == lane.items.end() || found->offset != ticket.offset ? nullptr : &*found;
}

void ReportUpdates::settle_front(Lane& lane) {
  while (!lane.items.empty() && lane.items.front().state == State::kSettled) lane.items.pop_front();
}

bool ReportUpdates::is_quiet(const Lane& lane) const {
  return std::ranges::none_of(
      lane.items, [](const Item& item) { return item.state == State::kUnderWay || item.state == State::kSetAside; });
}

}  // namespace rillgate::feed
