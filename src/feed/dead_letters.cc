#include "feed/dead_letters.h"

#include <fmt/format.h>

#include <algorithm>

namespace rillgate::feed {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kValueBytesMax = 64 << 10;
constexpr milliseconds kCommitPeriod{1'000};
/// A node that gives a partition back waits so long for its letters.
constexpr milliseconds kPatience{2'000};

}  // namespace

kafka::Message dead_letter(const std::string& to, const std::string& topic, const kafka::Record& record,
                           const std::string& what) {
  kafka::Message letter{.topic = to,
                        .headers = {{"reason", what},
                                    {"topic", topic},
                                    {"partition", fmt::format("{}", record.place.partition)},
                                    {"offset", fmt::format("{}", record.place.offset)}}};
  if (record.key) letter.key = std::string(*record.key);
  if (record.value) letter.value = std::string(record.value->substr(0, kValueBytesMax));
  if (record.value && record.value->size() > kValueBytesMax) {
    letter.headers.emplace_back("original-size", fmt::format("{}", record.value->size()));
  }
  return letter;
}

DeadLetters::DeadLetters(Options options, Examine examine, kafka::PartitionGroup& group, kafka::Producer& producer,
                         DeadLetterCounts& counts)
    : options_(std::move(options)), examine_(std::move(examine)), group_(group), producer_(producer), counts_(counts) {}

DeadLetters::Lane& DeadLetters::lane(std::uint32_t partition) {
  if (partition >= lanes_.size()) lanes_.resize(partition + 1);
  return lanes_[partition];
}

std::optional<std::uint64_t> DeadLetters::progress(const Lane& lane) {
  if (lane.pending > 0) return std::nullopt;
  if (lane.takes_from && !lane.is_reading && lane.examined >= *lane.takes_from)
    return std::max(lane.read, lane.examined);
  if (lane.is_examined_known) return lane.examined;
  return std::nullopt;
}

// ---- The reader

void DeadLetters::on_beginning(std::uint32_t partition, std::uint64_t first) {
  const std::lock_guard lock(mutex_);
  lane(partition).first = lane(partition).read = first;
}

void DeadLetters::on_bad_record(const kafka::Record& record, const BadRecord& bad) {
  const std::lock_guard lock(mutex_);
  Lane& at = lane(record.place.partition);
  const bool is_mine = at.is_owned && at.takes_from && record.place.offset >= *at.takes_from && !at.left_from;
  if (is_mine && !keep(record, bad, at)) {
    at.left_from = record.place.offset;
    if (!at.is_reading && at.examined >= *at.takes_from) be_up_to_date(at);
  }
  at.read = record.place.offset + 1;
}

void DeadLetters::on_read(kafka::Place next) {
  const std::lock_guard lock(mutex_);
  Lane& at = lane(next.partition);
  if (!at.first) return;
  at.read = next.offset;
  // The last owner may have been further than this node is.
  if (at.is_owned && !at.takes_from && has_room()) at.takes_from = std::max(at.read, at.examined);
}

bool DeadLetters::keep(const kafka::Record& record, const BadRecord& bad, Lane& lane) {
  if (pending_ >= kPendingMax || pending_bytes_ >= kPendingBytesMax) return false;
  kafka::Message message = dead_letter(options_.dead_topic, options_.topic, record, bad.what);
  ++pending_;
  pending_bytes_ += message.value ? message.value->size() : 0;
  ++lane.pending;
  to_send_.push_back({.partition = record.place.partition, .why = bad.why, .message = std::move(message)});
  return true;
}

// ---- The group

std::optional<std::uint64_t> DeadLetters::on_assigned(std::uint32_t partition, std::optional<std::uint64_t> committed) {
  const std::lock_guard lock(mutex_);
  Lane& at = lane(partition);
  at.is_owned = true;
  at.is_reading = false;
  at.takes_from = at.left_from = std::nullopt;  // until the reader says where it is
  at.is_examined_known = committed.has_value();
  at.examined = at.committed = committed.value_or(0);
  return std::nullopt;
}

std::optional<std::uint64_t> DeadLetters::on_revoked(std::uint32_t partition) {
  std::vector<Letter> letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(to_send_);
  }
  for (Letter& letter : letters) send(std::move(letter));
  std::unique_lock lock(mutex_);
  Lane& at = lane(partition);
  // One wait in vain is enough: the cluster does not answer.
  if (!is_stuck_) is_stuck_ = !acknowledged_.wait_for(lock, kPatience, [&] { return at.pending == 0; });
  at.is_owned = false;
  return progress(at);
}

void DeadLetters::on_record(const kafka::Record& record) {
  const std::lock_guard lock(mutex_);
  Lane& at = lane(record.place.partition);
  if (!at.is_reading) return;
  if (record.place.offset >= at.examined && record.place.offset < *at.takes_from) {
    if (const auto bad = examine_(record); bad && !keep(record, *bad, at)) {
      at.is_reading = false;
      group_.rest(options_.topic, record.place.partition);
      return;  // on_turn() goes on here
    }
    at.examined = record.place.offset + 1;
  }
  if (record.place.offset + 1 >= *at.takes_from) finish_catching_up(record.place);
}

void DeadLetters::on_end(kafka::Place next) {
  const std::lock_guard lock(mutex_);
  const Lane& at = lane(next.partition);
  if (at.is_reading && next.offset >= *at.takes_from) finish_catching_up(next);
}

void DeadLetters::finish_catching_up(kafka::Place next) {
  Lane& at = lane(next.partition);
  at.is_reading = false;
  be_up_to_date(at);
  group_.rest(options_.topic, next.partition);
}

/// Everything before the point at which the reader took over was looked at; and what the reader found, up to where it
/// found no room. As if the partition had been taken over there, that is read once more when there is room.
void DeadLetters::be_up_to_date(Lane& at) {
  at.examined = at.left_from ? *at.left_from : *at.takes_from;
  if (std::exchange(at.left_from, std::nullopt)) at.takes_from = std::nullopt;
}

void DeadLetters::catch_up(std::uint32_t partition, Lane& at) {
  if (!at.is_owned || at.is_reading || !at.takes_from || !has_room()) return;
  if (!at.is_examined_known) at.examined = *at.first;
  at.is_examined_known = true;
  if (at.examined >= *at.takes_from) {
    if (at.left_from) be_up_to_date(at);
    return;
  }
  at.is_reading = true;
  group_.read_from(options_.topic, {partition, at.examined});
}

void DeadLetters::on_turn() {
  std::vector<Letter> letters;
  {
    const std::lock_guard lock(mutex_);
    letters.swap(to_send_);
    for (std::uint32_t i = 0; i < lanes_.size(); ++i) catch_up(i, lanes_[i]);
    if (const auto now = std::chrono::steady_clock::now(); now >= commit_at_) {
      commit_at_ = now + kCommitPeriod;
      for (std::uint32_t i = 0; i < lanes_.size(); ++i) {
        const auto next = lanes_[i].is_owned ? progress(lanes_[i]) : std::nullopt;
        if (next && *next != lanes_[i].committed) group_.commit(options_.topic, {i, lanes_[i].committed = *next});
      }
    }
  }
  for (Letter& letter : letters) send(std::move(letter));
}

void DeadLetters::send(Letter letter) {
  kafka::Message message = letter.message;
  const std::size_t bytes = message.value ? message.value->size() : 0;
  producer_.send(std::move(message), [this, bytes, letter = std::move(letter)](auto written) mutable {
    const std::lock_guard lock(mutex_);
    if (!written) {
      to_send_.push_back(std::move(letter));  // the next turn tries again
      return;
    }
    counts_.add(letter.why);
    is_stuck_ = false;
    --pending_;
    pending_bytes_ -= bytes;
    --lane(letter.partition).pending;
    acknowledged_.notify_all();
  });
}

}  // namespace rillgate::feed
