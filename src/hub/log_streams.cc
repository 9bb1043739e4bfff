// Streams whose events come from a partitioned log: where they begin, what they have already, and what they lack.
//
// A stream usually stands where its node stands, and shares the ids of the events. It has a position of its own while
// that is not so: as long as it replays, as long as the id that it came with is ahead of this node in some partition,
// or while old records are read that it does not want. The ids of what it gets are then made for it alone: the larger
// of both, partition by partition, so that they stay right on a node that read in another order.

#include <algorithm>

#include "hub/hub.h"
#include "hub/impl/stripe.h"

namespace rillgate::hub {

void Hub::begin_in_log(Stream& stream, const Resume& resume, std::chrono::milliseconds retry) {
  const Channel& channel = *stream.channel_;
  stream.known_dropped_ = Seq{};
  stream.position_ = log_->seq();
  switch (resume.from) {
    case Resume::From::kId:
      resume_in_log(stream, resume, retry);
      return;
    case Resume::From::kLive:
      if (auto live = log_->live_position()) stream.own_ = std::make_unique<OwnPosition>(*std::move(live));
      break;
    case Resume::From::kEarliest:
      stream.known_dropped_ = dropped(channel);
      if (const Seq first = first_kept_after(channel, Seq{}); value(first) != 0) {
        stream.position_ = previous(first);
        stream.phase_ = Stream::Phase::kReplay;
        const Event& oldest = *first_wanted(stream);
        stream.own_ = std::make_unique<OwnPosition>(OwnPosition{.at = log_->parse_own(oldest.id())});
        stream.own_->at.set(oldest.record().partition, oldest.record().offset);
      }
      break;
  }
  append(stream, Event::fixed(sse::control_block(
                     {.type = "stream-open", .id = log_->format(log_position_of(stream)), .retry = retry})));
}

void Hub::resume_in_log(Stream& stream, const Resume& resume, std::chrono::milliseconds retry) {
  const Channel& channel = *stream.channel_;
  std::string id(resume.id);
  const std::optional<LogPosition> asked = log_->parse(resume.id);
  stream.own_ = std::make_unique<OwnPosition>(OwnPosition{.at = asked.value_or(LogPosition{})});
  if (!asked && !log_->is_known()) {
    stream.own_->unverified = id;  // nothing can have been read yet
  } else if (!asked || !asked->includes(lost_in_log(channel))) {
    append(stream, gap_in_log(stream, resume.id, retry));
    return;
  } else {
    log_->suspect(*asked);
    // The node's position grows from event to event, so all before the first one that it does not include are had.
    const auto is_new = [&](const Event& event) { return !asked->includes(log_->parse_own(event.id())); };
    stream.position_ = log_->seq();
    for (const Ring<Ref<Event>>* const events : kept_for(channel)) {
      const std::size_t first = first_index(*events, is_new);
      if (first < events->size()) stream.position_ = std::min(stream.position_, previous((*events)[first]->seq()));
    }
    if (first_wanted(stream) != nullptr) {
      stream.phase_ = Stream::Phase::kReplay;
    } else {
      catch_up_own_position(stream);
    }
    // The position asked for, whatever this node can add to it: both skip nothing, and one of them the client knows.
  }
  append(stream, Event::fixed(sse::control_block({.type = "stream-open", .id = id, .retry = retry})));
}

LogPosition Hub::log_position_of(const Stream& stream) const {
  return stream.own_ ? stream.own_->at : log_->position();
}

/// A stream that has less than this has lost something, or may have.
LogPosition Hub::lost_in_log(const Channel& channel) const {
  LogPosition lost = log_->lost();
  lost.merge(channel.lost);
  lost.merge(broadcasts_lost_);
  return lost;
}

/// The next kept event that a replaying stream does not have; null when there is none.
const Event* Hub::first_wanted(const Stream& stream) const {
  const Event* first = nullptr;
  for (const Ring<Ref<Event>>* const events : kept_for(*stream.channel_)) {
    std::size_t index = first_index(*events, [&](const Event& event) { return event.seq() > stream.position_; });
    while (index < events->size() && stream.own_ && stream.own_->at.covers((*events)[index]->record())) ++index;
    if (index == events->size()) continue;
    const Event& event = *(*events)[index];
    if (first == nullptr || event.seq() < first->seq()) first = &event;
  }
  return first;
}

/// The event as this stream is to get it; nothing when it has it.
Ref<Event> Hub::as_wanted_by(Stream& stream, const Ref<Event>& event) {
  if (!stream.own_) return event;
  OwnPosition& own = *stream.own_;
  if (own.at.covers(event->record())) return {};
  LogPosition after = log_->parse_own(event->id());
  const bool is_shared = after.includes(own.at);
  own.at.merge(after);
  if (!is_shared) return Event::with_id(*event, log_->format(own.at));
  if (stream.phase_ == Stream::Phase::kLive && log_->is_implied(own, after)) stream.own_.reset();
  return event;
}

/// The stream has all that its stripe was given, so it stands where the node stands, or further.
void Hub::catch_up_own_position(Stream& stream) {
  if (!stream.own_) return;
  const LogPosition here = log_->position();
  if (log_->is_implied(*stream.own_, here)) {
    stream.own_.reset();
  } else {
    stream.own_->at.merge(here);
  }
}

/// The history was cut under a replaying stream.
void Hub::find_losses_in_log(Stream& stream) {
  const Channel& channel = *stream.channel_;
  if (stream.own_->at.includes(lost_in_log(channel))) {
    stream.known_dropped_ = dropped(channel);  // it has all that is gone
  } else {
    append(stream, gap_in_log(stream, log_->format(stream.own_->at), std::chrono::milliseconds{0}));
  }
}

/// Says that something is lost; what is kept and not had follows.
Ref<Event> Hub::gap_in_log(Stream& stream, std::string_view requested, std::chrono::milliseconds retry) {
  const Channel& channel = *stream.channel_;
  if (!stream.own_) stream.own_ = std::make_unique<OwnPosition>(OwnPosition{.at = log_->position()});
  LogPosition& at = stream.own_->at;
  // Broadcasts that are gone may have stood behind events that are kept.
  at.merge(log_->lost());
  at.merge(channel.lost);
  stream.known_dropped_ = dropped(channel);
  stream.position_ = Seq{};
  const Event* const first = first_wanted(stream);
  if (first != nullptr) {
    stream.phase_ = Stream::Phase::kReplay;
    stream.position_ = previous(first->seq());
  } else {
    stream.position_ = log_->seq();
  }
  return gap_block({.requested = requested,
                    .id = log_->format(at),
                    .oldest = first == nullptr ? std::string{} : std::string(first->id()),
                    .retry = retry});
}

// ---- What the reader finds out while streams are open

template <class Visit>
FlushList Hub::visit_streams(Visit visit) {
  FlushList to_flush;
  for (std::size_t i = 0; i < kStripes; ++i) {
    Stripe& stripe = stripes_[i];
    const std::lock_guard lock(stripe.mutex);
    for_each_stream(stripe, [&](Stream& stream) { visit(stream, to_flush); });
  }
  return to_flush;
}

/// Queues a gap in the middle of a stream.
void Hub::tell_gap_in_log(Stream& stream, const LogPosition& had, FlushList& to_flush) {
  const std::string requested = log_->format(had);
  const bool was_live = stream.phase_ == Stream::Phase::kLive;
  const Seq position = stream.position_;
  Ref<Event> block = gap_in_log(stream, requested, std::chrono::milliseconds{0});
  if (!was_live) {
    append(stream, std::move(block));  // a replay's queue is always on its way
    return;
  }
  // It has all that is kept: it goes on where it was.
  stream.phase_ = Stream::Phase::kLive;
  stream.position_ = position;
  enqueue(stream, block, to_flush);
}

FlushList Hub::identify_log(std::string_view name) {
  log_->identify(name);
  return visit_streams([&](Stream& stream, FlushList& to_flush) {
    if (!stream.own_ || stream.own_->unverified.empty()) return;
    const std::string asked = std::exchange(stream.own_->unverified, {});
    if (auto position = log_->parse(asked)) {
      log_->suspect(*position);
      stream.own_->at = *std::move(position);
    } else {
      enqueue(stream, gap_in_log(stream, asked, std::chrono::milliseconds{0}), to_flush);
    }
  });
}

FlushList Hub::begin_partition(const Log::Begin& begin) {
  log_->begin(begin);
  return visit_streams([&](Stream& stream, FlushList& to_flush) {
    // Without a position of its own it wants all that is kept; that includes what came since the node's start.
    if (stream.own_ && stream.own_->began_live) stream.own_->at.raise(begin.partition, begin.live_from);
    const std::uint64_t next = stream.own_ ? stream.own_->at.next(begin.partition) : begin.live_from;
    if (next < begin.first) tell_gap_in_log(stream, log_position_of(stream), to_flush);
  });
}

FlushList Hub::lose_records(std::uint32_t partition, std::uint64_t first) {
  const LogPosition before = log_->position();
  const bool is_rewound = first < before.next(partition);
  log_->lose(partition, first);
  if (is_rewound) forget_history(partition, first);
  return visit_streams([&](Stream& stream, FlushList& to_flush) {
    const LogPosition had = stream.own_ ? stream.own_->at : before;
    if (is_rewound) {
      if (stream.own_) stream.own_->at.set(partition, first);
    } else if (stream.own_ && stream.own_->at.next(partition) >= first) {
      return;
    }
    tell_gap_in_log(stream, had, to_flush);
  });
}

/// The log began anew: what was kept of it, and what anyone has of it, is worth nothing.
void Hub::forget_history(std::uint32_t partition, std::uint64_t first) {
  const AllLocks locks = lock_all();
  while (!broadcasts_.empty()) drop_oldest_broadcast();
  broadcasts_lost_.set(partition, first);
  for (std::size_t i = 0; i < kStripes; ++i) {
    Stripe& stripe = stripes_[i];
    while (!stripe.kept.empty()) drop_oldest(*stripe.kept.front().keeper);
    for (auto entry = stripe.channels.begin(); entry != stripe.channels.end();) {
      Channel& channel = *entry++->second;
      channel.lost.set(partition, first);
      stripe.erase_if_unused(channel);
    }
    stripe.lost.set(partition, first);
  }
}

FlushList Hub::confirm_end(std::uint32_t partition, std::uint64_t end) {
  return visit_streams([&](Stream& stream, FlushList& to_flush) {
    if (!stream.own_ || stream.own_->at.next(partition) <= end) return;
    const LogPosition had = stream.own_->at;
    stream.own_->at.set(partition, end);
    tell_gap_in_log(stream, had, to_flush);
  });
}

}  // namespace rillgate::hub
