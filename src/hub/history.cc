// What the hub keeps of the past, and how a stream that comes back reads it.

#include <algorithm>
#include <cassert>

#include "base/text.h"
#include "hub/hub.h"
#include "hub/impl/stripe.h"

namespace rillgate::hub {
namespace {

/// Index of the first event after `position`.
std::size_t index_after(const Ring<Ref<Event>>& events, Seq position) {
  return first_index(events, [&](const Event& event) { return event.seq() > position; });
}

}  // namespace

Channel& Stripe::channel_of(std::string_view user) {
  if (const auto found = channels.find(user); found != channels.end()) return *found->second;
  auto made = std::make_unique<Channel>();
  Channel& channel = *made;
  channel.stripe = this;
  channel.user = user;
  channels.emplace(channel.user, std::move(made));
  channel.dropped = dropped;
  channel.lost = lost;
  return channel;
}

void Stripe::erase_if_unused(Channel& channel) {
  if (channel.stream_count != 0 || !channel.events.empty()) return;
  dropped = std::max(dropped, channel.dropped);
  lost.merge(channel.lost);
  channels.erase(channels.find(channel.user));
}

// ---- Keeping and dropping

void Hub::keep(Channel& channel, const Ref<Event>& event) {
  Stripe& stripe = *channel.stripe;
  event->keeper = &channel;
  stripe.kept.push_back(*event);
  stripe.note_oldest();
  channel.events.push_back(event);
  channel.events_bytes += event->wire_bytes();
  budget_.history_bytes_.fetch_add(event->memory_bytes(), std::memory_order_relaxed);
  while (channel.events.size() > options_.history_size || channel.events_bytes > options_.history_bytes) {
    drop_oldest(channel);
  }
}

void Hub::drop_oldest(Channel& channel) {
  const Ref<Event> event = channel.events.pop_front();
  static_cast<ListHook<ByAge>&>(*event).unlink();
  channel.stripe->note_oldest();
  channel.events_bytes -= event->wire_bytes();
  channel.dropped = event->seq();
  if (log_) channel.lost.raise(event->record().partition, event->record().offset + 1);
  budget_.history_bytes_.fetch_sub(event->memory_bytes(), std::memory_order_relaxed);
}

void Hub::keep_broadcast(const Ref<Event>& event) {
  broadcasts_.push_back(event);
  broadcasts_bytes_ += event->wire_bytes();
  broadcasts_oldest_.store(broadcasts_.front()->published, std::memory_order_relaxed);
  budget_.history_bytes_.fetch_add(event->memory_bytes(), std::memory_order_relaxed);
  while (broadcasts_.size() > options_.history_size || broadcasts_bytes_ > options_.history_bytes) {
    drop_oldest_broadcast();
  }
}

void Hub::drop_oldest_broadcast() {
  const Ref<Event> event = broadcasts_.pop_front();
  broadcasts_oldest_.store(broadcasts_.empty() ? Time::max() : broadcasts_.front()->published,
                           std::memory_order_relaxed);
  broadcasts_bytes_ -= event->wire_bytes();
  broadcasts_dropped_ = event->seq();
  if (log_) broadcasts_lost_.raise(event->record().partition, event->record().offset + 1);
  budget_.history_bytes_.fetch_sub(event->memory_bytes(), std::memory_order_relaxed);
}

void Hub::drop_expired(Stripe& stripe, Time now, int events_max) {
  for (int i = 0; i < events_max && !stripe.kept.empty(); ++i) {
    const Event& oldest = stripe.kept.front();
    if (oldest.published + options_.history_ttl > now) return;
    Channel& channel = *oldest.keeper;
    drop_oldest(channel);
    stripe.erase_if_unused(channel);
  }
}

void Hub::sweep() {
  const Time now = options_.clock();
  for (std::size_t i = 0; i < kStripes; ++i) {
    Stripe& stripe = stripes_[i];
    while (stripe.oldest.load(std::memory_order_relaxed) <= now - options_.history_ttl) {
      const std::lock_guard lock(stripe.mutex);
      drop_expired(stripe, now, kExpiredPerHold);
    }
  }
  if (broadcasts_oldest_.load(std::memory_order_relaxed) <= now - options_.history_ttl) {
    const AllLocks locks = lock_all();
    while (!broadcasts_.empty() && broadcasts_.front()->published + options_.history_ttl <= now)
      drop_oldest_broadcast();
  }
}

void Hub::find_oldest(Oldest& oldest, Time& second) {
  const auto consider = [&](Stripe* stripe, Time time) {
    if (time >= oldest.time) {
      second = std::min(second, time);
      return;
    }
    second = oldest.time;
    oldest = {this, stripe, time};
  };
  for (std::size_t i = 0; i < kStripes; ++i) {
    consider(&stripes_[i], stripes_[i].oldest.load(std::memory_order_relaxed));
  }
  consider(nullptr, broadcasts_oldest_.load(std::memory_order_relaxed));
}

void Hub::drop_kept(Stripe* stripe, Time until, std::uint64_t target) {
  const auto goes = [&](Time time) { return time <= until && budget_.history_bytes() > target; };
  if (stripe == nullptr) {
    const AllLocks locks = lock_all();
    while (!broadcasts_.empty() && goes(broadcasts_.front()->published)) drop_oldest_broadcast();
    return;
  }
  const std::lock_guard lock(stripe->mutex);
  while (!stripe->kept.empty() && goes(stripe->kept.front().published)) {
    Channel& channel = *stripe->kept.front().keeper;
    drop_oldest(channel);
    stripe->erase_if_unused(channel);
  }
}

// ---- Resuming

Seq Hub::dropped(const Channel& channel) const {
  return std::max(channel.dropped, broadcasts_dropped_);
}

std::array<const Ring<Ref<Event>>*, 2> Hub::kept_for(const Channel& channel) const {
  return {&channel.events, &broadcasts_};
}

/// Seq{0} when nothing after `position` is kept.
Seq Hub::first_kept_after(const Channel& channel, Seq position) const {
  Seq first{};
  for (const Ring<Ref<Event>>* const events : kept_for(channel)) {
    const std::size_t index = index_after(*events, position);
    if (index == events->size()) continue;
    const Seq seq = (*events)[index]->seq();
    if (value(first) == 0 || seq < first) first = seq;
  }
  return first;
}

void Hub::begin(Stream& stream, const Resume& resume, std::chrono::milliseconds retry) {
  if (log_) {
    begin_in_log(stream, resume, retry);
    return;
  }
  const Channel& channel = *stream.channel_;
  const Seq newest = stream.stripe_->newest;
  stream.known_dropped_ = Seq{};
  stream.position_ = newest;
  if (resume.from == Resume::From::kId) {
    const std::optional<Seq> asked = ids_.parse(resume.id);
    const bool known = asked && *asked <= newest;
    if (!known || *asked < dropped(channel)) {
      queue_gap(stream, resume.id, known ? *asked : Seq{}, retry);
      return;
    }
    stream.position_ = *asked;
  } else if (resume.from == Resume::From::kEarliest) {
    stream.known_dropped_ = dropped(channel);
    if (const Seq first = first_kept_after(channel, Seq{}); value(first) != 0) stream.position_ = previous(first);
  }
  if (value(first_kept_after(channel, stream.position_)) != 0) stream.phase_ = Stream::Phase::kReplay;
  append(stream, Event::fixed(
                     sse::control_block({.type = "stream-open", .id = ids_.format(stream.position_), .retry = retry})));
}

/// Says that events after `after` are lost, and lets the stream go on with what is kept.
void Hub::queue_gap(Stream& stream, std::string_view requested, Seq after, std::chrono::milliseconds retry) {
  const Channel& channel = *stream.channel_;
  const Seq first = first_kept_after(channel, after);
  const bool some_kept = value(first) != 0;
  stream.phase_ = some_kept ? Stream::Phase::kReplay : Stream::Phase::kLive;
  stream.position_ = some_kept ? previous(first) : stream.stripe_->newest;
  stream.known_dropped_ = dropped(channel);
  append(stream, gap_block({.requested = requested,
                            .id = ids_.format(stream.position_),
                            .oldest = some_kept ? ids_.format(first) : std::string{},
                            .retry = retry}));
}

Ref<Event> Hub::gap_block(const Gap& gap) {
  std::string data = R"({"requested":)";
  append_json_string(data, gap.requested);
  data += R"(,"oldest":)";
  data += gap.oldest.empty() ? "null" : json_string(gap.oldest);
  data += '}';
  counters_.gaps.add();
  return Event::fixed(sse::control_block({.type = "stream-gap", .id = gap.id, .retry = gap.retry, .data = data}));
}

/// The next events of a replay go to the empty queue; when there is none left the stream is live.
void Hub::refill(Stream& stream) {
  const Channel& channel = *stream.channel_;
  if (dropped(channel) > std::max(stream.position_, stream.known_dropped_)) {
    if (log_) {
      find_losses_in_log(stream);
    } else {
      queue_gap(stream, ids_.format(stream.position_), stream.position_, std::chrono::milliseconds{0});
    }
    if (!stream.queue_.empty()) return;
  }
  std::size_t own = index_after(channel.events, stream.position_);
  std::size_t common = index_after(broadcasts_, stream.position_);
  std::uint64_t bytes = 0;
  while (stream.queue_.size() < kBatchEventsMax && bytes < kBatchBytesMax) {
    const bool own_left = own < channel.events.size();
    const bool common_left = common < broadcasts_.size();
    if (!own_left && !common_left) break;
    const bool take_own = own_left && (!common_left || channel.events[own]->seq() < broadcasts_[common]->seq());
    const Ref<Event>& event = take_own ? channel.events[own++] : broadcasts_[common++];
    if (const Ref<Event> wanted = as_wanted_by(stream, event)) {
      append(stream, wanted);
      bytes += wanted->wire_bytes();
    }
    stream.position_ = event->seq();
  }
  if (stream.queue_.empty()) {
    stream.phase_ = Stream::Phase::kLive;
    if (log_) catch_up_own_position(stream);
  }
}

}  // namespace rillgate::hub
