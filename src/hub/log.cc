#include "hub/log.h"

#include <algorithm>

namespace rillgate::hub {

void Log::identify(std::string_view name) {
  const std::lock_guard lock(mutex_);
  ids_ = LogIds(name);
  is_known_ = true;
}

void Log::begin(const Begin& begin) {
  const std::lock_guard lock(mutex_);
  position_.set(begin.partition, begin.first);
  lost_.set(begin.partition, begin.first);
  live_from_.set(begin.partition, begin.live_from);
  seq_ = rillgate::hub::next(seq_);
}

void Log::complete() {
  const std::lock_guard lock(mutex_);
  is_complete_ = true;
}

Seq Log::advance(LogRecord record) {
  const std::lock_guard lock(mutex_);
  position_.raise(record.partition, record.offset + 1);
  seq_ = rillgate::hub::next(seq_);
  return seq_;
}

std::string Log::id_after(LogRecord record) const {
  const std::lock_guard lock(mutex_);
  return ids_.format_after(position_, record);
}

void Log::lose(std::uint32_t partition, std::uint64_t first) {
  const std::lock_guard lock(mutex_);
  position_.set(partition, first);
  lost_.set(partition, first);
  seq_ = rillgate::hub::next(seq_);
}

Seq Log::seq() const {
  const std::lock_guard lock(mutex_);
  return seq_;
}

LogPosition Log::position() const {
  const std::lock_guard lock(mutex_);
  return position_;
}

LogPosition Log::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

bool Log::is_known() const {
  const std::lock_guard lock(mutex_);
  return is_known_;
}

std::string Log::format(const LogPosition& position) const {
  const std::lock_guard lock(mutex_);
  return ids_.format(position);
}

std::optional<LogPosition> Log::parse(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  return ids_.parse(id);
}

LogPosition Log::parse_own(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  return ids_.parse_own(id);
}

std::optional<OwnPosition> Log::live_position() const {
  const std::lock_guard lock(mutex_);
  if (is_complete_ && position_.includes(live_from_)) return std::nullopt;
  OwnPosition own{.at = position_, .began_live = true};
  own.at.merge(live_from_);
  return own;
}

bool Log::is_implied(const OwnPosition& own, const LogPosition& at) const {
  if (!own.unverified.empty() || !at.includes(own.at)) return false;
  const std::lock_guard lock(mutex_);
  return is_complete_;  // else a partition may yet begin behind what the stream lacks
}

void Log::suspect(const LogPosition& asked) {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t i = 0; i < asked.partitions(); ++i) {
    const bool is_ahead = asked.next(i) > position_.next(i);
    if (is_ahead && std::ranges::find(suspects_, i) == suspects_.end()) suspects_.push_back(i);
  }
}

std::vector<std::uint32_t> Log::take_suspects() {
  const std::lock_guard lock(mutex_);
  return std::exchange(suspects_, {});
}

}  // namespace rillgate::hub
