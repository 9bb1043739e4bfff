#include "hub/hub.h"

#include <algorithm>
#include <cassert>

#include "hub/impl/stripe.h"

namespace rillgate::hub {

Hub::Hub(Options options, Budget& budget, std::unique_ptr<Log> log)
    : options_(std::move(options)),
      budget_(budget),
      ids_(options_.epoch),
      log_(std::move(log)),
      stripes_(new Stripe[kStripes]) {
  budget_.hubs_.push_back(this);
}

Hub::~Hub() {
  std::erase(budget_.hubs_, this);
  for (std::size_t i = 0; i < kStripes; ++i) {
    Stripe& stripe = stripes_[i];
    assert(stripe.streams.empty());
    while (!stripe.kept.empty()) drop_oldest(*stripe.kept.front().keeper);
  }
  while (!broadcasts_.empty()) drop_oldest_broadcast();
}

Stripe& Hub::stripe_of(std::string_view user) {
  return stripes_[HashOfUser{}(user) % kStripes];
}

Hub::AllLocks Hub::lock_all() {
  AllLocks locks;
  for (std::size_t i = 0; i < kStripes; ++i) locks[i] = std::unique_lock(stripes_[i].mutex);
  return locks;
}

Hub::Stats Hub::stats() {
  Stats stats;
  for (std::size_t i = 0; i < kStripes; ++i) {
    const std::lock_guard lock(stripes_[i].mutex);
    stats.streams += stripes_[i].streams.size();
    stats.users += stripes_[i].channels.size();
  }
  return stats;
}

// ---- Publishing

Published Hub::publish(std::string_view user, Ref<Event> draft) {
  draft->published = options_.clock();
  return to_user(user, draft, draft->published, [&](Stripe& stripe) {
    draft->number(next(stripe.newest), ids_);
    return draft->seq();
  });
}

Published Hub::broadcast(Ref<Event> draft) {
  draft->published = options_.clock();
  return to_all(draft, [&](Seq newest) {
    draft->number(next(newest), ids_);
    return draft->seq();
  });
}

/// `number(stripe)` numbers the event, under the stripe's lock.
template <class Number>
Published Hub::to_user(std::string_view user, const Ref<Event>& event, Time now, Number number) {
  Published result;
  Stripe& stripe = stripe_of(user);
  {
    std::unique_lock lock(stripe.mutex);
    for (int attempt = 0; attempt < kRoomAttemptsMax; ++attempt) {
      const std::uint64_t needed = room_needed(stripe, user, *event);
      if (budget_.has_room_in_queues(needed)) break;
      lock.unlock();
      budget_.make_room_in_queues(needed, 0, result.to_flush);
      lock.lock();
    }
    Channel& channel = stripe.channel_of(user);
    result.seq = stripe.newest = number(stripe);
    keep(channel, event);
    result.streams = deliver(channel, event, result.to_flush);
    stripe.erase_if_unused(channel);
    drop_expired(stripe, now, kExpiredPerPublish);
  }
  counters_.events_in.add();
  budget_.trim_history();
  return result;
}

/// `number(newest)` numbers the event, larger than `newest`, under all locks.
template <class Number>
Published Hub::to_all(const Ref<Event>& event, Number number) {
  Published result;
  {
    AllLocks locks = lock_all();
    for (int attempt = 0; attempt < kRoomAttemptsMax; ++attempt) {
      std::uint64_t needed = 0;
      for (std::size_t i = 0; i < kStripes; ++i) needed += room_needed(stripes_[i], std::nullopt, *event);
      if (budget_.has_room_in_queues(needed)) break;
      locks = {};
      budget_.make_room_in_queues(needed, 0, result.to_flush);
      locks = lock_all();
    }
    // One number for all stripes: larger than any before it, and every counter goes on from it.
    Seq newest{};
    for (std::size_t i = 0; i < kStripes; ++i) newest = std::max(newest, stripes_[i].newest);
    result.seq = number(newest);
    for (std::size_t i = 0; i < kStripes; ++i) stripes_[i].newest = result.seq;
    keep_broadcast(event);
    for (std::size_t i = 0; i < kStripes; ++i) {
      Stripe& stripe = stripes_[i];
      result.streams += stripe.streams.size();
      for_each_stream(stripe, [&](Stream& stream) { deliver(stream, event, result.to_flush); });
      locks[i].unlock();
    }
  }
  counters_.events_in.add();
  budget_.trim_history();
  return result;
}

Published Hub::publish_record(std::optional<std::string_view> user, sse::EventText text, LogRecord record,
                              std::chrono::nanoseconds age) {
  const Ref<Event> event = Event::of_record(text, log_->id_after(record), record);
  const Time now = options_.clock();
  event->published = now - std::clamp<std::chrono::nanoseconds>(age, {}, options_.history_ttl);
  // The position moves under the locks: whoever holds one sees it cover just what that stripe was given.
  const auto place = [&] {
    event->place(log_->advance(record));
    return event->seq();
  };
  return user ? to_user(*user, event, now, [&](Stripe&) { return place(); })
              : to_all(event, [&](Seq) { return place(); });
}

std::uint64_t Hub::room_needed(Stripe& stripe, std::optional<std::string_view> user, const Event& event) {
  std::uint64_t bytes = 0;
  for (const Stream& stream : stripe.blocked) {
    const bool concerned = stream.channel_ != nullptr && (!user || stream.channel_->user == *user);
    if (concerned && stream.phase_ == Stream::Phase::kLive) bytes += event.memory_bytes();
  }
  return bytes;
}

std::size_t Hub::deliver(Channel& channel, const Ref<Event>& event, FlushList& to_flush) {
  const std::size_t streams = channel.stream_count;
  for (auto at = channel.streams.begin(); at != channel.streams.end();) {
    Stream& stream = *at;
    ++at;  // before the stream may leave
    deliver(stream, event, to_flush);
  }
  return streams;
}

void Hub::deliver(Stream& stream, const Ref<Event>& event, FlushList& to_flush) {
  if (stream.phase_ == Stream::Phase::kLive) {
    if (Ref<Event> wanted = as_wanted_by(stream, event)) enqueue(stream, std::move(wanted), to_flush);
  }
  // One that replays will come to this event in the history.
}

void Hub::enqueue(Stream& stream, Ref<Event> event, FlushList& to_flush) {
  const std::uint64_t bytes = event->wire_bytes();
  switch (stream.state_) {
    case Stream::State::kIdle:
      append(stream, std::move(event));
      stream.state_ = Stream::State::kFlushing;
      to_flush.push(stream);
      return;
    case Stream::State::kFlushing:
      // A single one that is queued may be sent already, though its writer has not come back to say so.
      if (stream.queue_.size() > 1 && stream.waiting_bytes_ + bytes > options_.stream_buffer) {
        leave(stream, End::kSlowConsumer);  // whoever holds the token will see it
      } else {
        append(stream, std::move(event));
      }
      return;
    case Stream::State::kBlocked:
      if (stream.waiting_bytes_ + bytes > options_.stream_buffer || !budget_.reserve_queued(bytes)) {
        end_blocked(stream, to_flush);
      } else {
        append(stream, std::move(event));
      }
      return;
  }
}

void Hub::append(Stream& stream, Ref<Event> event) {
  // A replay is paced by its reader and bounded by kBatchEventsMax. Its queue is empty when the live phase begins.
  if (stream.phase_ == Stream::Phase::kLive) stream.waiting_bytes_ += event->wire_bytes();
  if (value(event->seq()) != 0) stream.position_ = event->seq();
  stream.queue_.push_back(std::move(event));
}

// ---- Streams

std::expected<void, Refusal> Hub::admit(Stripe& stripe, Stream& stream, std::string_view user) {
  if (!budget_.reserve_stream()) return std::unexpected(Refusal::kTooManyStreams);
  Channel& channel = stripe.channel_of(user);
  if (channel.stream_count >= options_.streams_per_user) {
    budget_.release_stream();
    stripe.erase_if_unused(channel);
    return std::unexpected(Refusal::kTooManyStreamsOfUser);
  }
  stream.stripe_ = &stripe;
  stream.channel_ = &channel;
  channel.streams.push_back(stream);
  ++channel.stream_count;
  stream.place_in_stripe_ = stripe.streams.size();
  stripe.streams.push_back(&stream);
  return {};
}

std::expected<void, Refusal> Hub::attach(Stream& stream, std::string_view user, const Resume& resume,
                                         std::chrono::milliseconds retry) {
  Stripe& stripe = stripe_of(user);
  const std::lock_guard lock(stripe.mutex);
  if (auto admitted = admit(stripe, stream, user); !admitted) return admitted;
  begin(stream, resume, retry);
  stream.state_ = Stream::State::kFlushing;
  return {};
}

std::expected<void, Refusal> Hub::attach_bare(Stream& stream, std::string_view user) {
  Stripe& stripe = stripe_of(user);
  const std::lock_guard lock(stripe.mutex);
  return admit(stripe, stream, user);
}

bool Hub::push(Stream& stream, Ref<Event> event) {
  const std::lock_guard lock(stream.stripe_->mutex);
  if (stream.end_ != End::kNone) return false;
  Channel& channel = *stream.channel_;
  FlushList to_flush;
  enqueue(stream, event, to_flush);
  stream.stripe_->erase_if_unused(channel);
  return !to_flush.empty();
}

Hub::KeepAlive Hub::keep_alive(Stream& stream, const Ref<Event>& comment, std::chrono::milliseconds interval) {
  const Time now = options_.clock();
  Stripe& stripe = *stream.stripe_;
  const std::lock_guard lock(stripe.mutex);
  const Time due = stream.last_write_ + interval;
  if (due > now) return {.to_flush = false, .next = due};
  const Time next = now + interval;
  if (stream.end_ != End::kNone || stream.state_ != Stream::State::kIdle) return {.to_flush = false, .next = next};
  const Seq newest = log_ ? log_->seq() : stripe.newest;
  if (newest > stream.position_) {
    // All up to here that concerned this stream is sent, since it is idle.
    stream.position_ = newest;
    if (log_) catch_up_own_position(stream);
    append(stream,
           Event::fixed(sse::control_block(
               {.type = "stream-position", .id = log_ ? log_->format(log_position_of(stream)) : ids_.format(newest)})));
  } else {
    append(stream, comment);
  }
  stream.state_ = Stream::State::kFlushing;
  return {.to_flush = true, .next = next};
}

bool Hub::finish(Stream& stream, End reason, Ref<Event> last_block) {
  const std::lock_guard lock(stream.stripe_->mutex);
  if (stream.end_ != End::kNone) return false;
  depart(stream, reason);
  stream.end_when_sent_ = true;
  if (stream.state_ == Stream::State::kBlocked) unblock(stream);
  stream.waiting_bytes_ = 0;  // what it still has to send no longer grows
  stream.queue_.push_back(std::move(last_block));
  return std::exchange(stream.state_, Stream::State::kFlushing) != Stream::State::kFlushing;
}

bool Hub::detach(Stream& stream, End reason) {
  const std::lock_guard lock(stream.stripe_->mutex);
  if (stream.end_ == End::kNone) depart(stream, reason);
  stream.end_when_sent_ = false;
  if (stream.state_ == Stream::State::kFlushing) return false;
  if (stream.state_ == Stream::State::kBlocked) unblock(stream);
  stream.state_ = Stream::State::kFlushing;
  return true;
}

bool Hub::writable(Stream& stream) {
  const std::lock_guard lock(stream.stripe_->mutex);
  if (stream.state_ == Stream::State::kBlocked) {
    unblock(stream);
    stream.state_ = Stream::State::kFlushing;
    return true;
  }
  stream.writable_meanwhile_ = stream.state_ == Stream::State::kFlushing;
  return false;
}

void Hub::leave(Stream& stream, End reason) {
  Channel& channel = *std::exchange(stream.channel_, nullptr);
  stream.ListHook<OfChannel>::unlink();
  stream.end_ = reason;
  --channel.stream_count;
  std::vector<Stream*>& all = channel.stripe->streams;
  all[stream.place_in_stripe_] = all.back();
  all.back()->place_in_stripe_ = stream.place_in_stripe_;
  all.pop_back();
  budget_.release_stream();
  counters_.ends[static_cast<std::size_t>(reason)].add();
}

void Hub::depart(Stream& stream, End reason) {
  Channel& channel = *stream.channel_;
  leave(stream, reason);
  channel.stripe->erase_if_unused(channel);
}

void Hub::end_blocked(Stream& stream, FlushList& to_flush) {
  leave(stream, End::kSlowConsumer);
  unblock(stream);
  stream.queue_.clear();
  stream.waiting_bytes_ = 0;
  stream.state_ = Stream::State::kFlushing;
  to_flush.push(stream);
}

void Hub::block(Stream& stream) {
  stream.state_ = Stream::State::kBlocked;
  stream.stripe_->blocked.push_back(stream);
}

void Hub::unblock(Stream& stream) {
  stream.ListHook<Blocked>::unlink();
  budget_.release_queued(stream.waiting_bytes_);
}

// ---- Flushing

Flushed Hub::flush(Stream& stream, FlushList& others) {
  std::array<Frame, kBatchEventsMax> frames;
  std::array<Time, kBatchEventsMax> published;
  Written written{.frames = 0, .state = Written::State::kAll};
  Time now{};
  for (int round = 0;; ++round) {
    std::size_t count = 0;
    std::uint64_t wanted = 0;
    {
      const std::lock_guard lock(stream.stripe_->mutex);
      settle(stream, written, now);
      if (stream.end_ != End::kNone && !stream.end_when_sent_) {
        stream.queue_.clear();
        return Flushed::kEnded;
      }
      if (written.state == Written::State::kFull && !std::exchange(stream.writable_meanwhile_, false)) {
        if (budget_.reserve_queued(stream.waiting_bytes_)) {
          block(stream);
          return Flushed::kBlocked;
        }
        wanted = stream.waiting_bytes_;
      } else {
        if (stream.queue_.empty() && stream.phase_ == Stream::Phase::kReplay && !stream.end_when_sent_) refill(stream);
        if (stream.queue_.empty()) {
          if (stream.end_when_sent_) return Flushed::kEnded;
          stream.state_ = Stream::State::kIdle;
          return Flushed::kIdle;
        }
        if (round >= kFlushRoundsMax) return Flushed::kMore;
        count = collect(stream, frames, published);
      }
    }
    if (wanted > 0) {
      // Still full, and all that may wait in this process waits already: whoever has most goes.
      if (!budget_.make_room_in_queues(wanted, wanted, others)) {
        const std::lock_guard lock(stream.stripe_->mutex);
        if (stream.end_ == End::kNone) depart(stream, End::kSlowConsumer);
      }
      written.frames = 0;
      continue;
    }
    written = stream.write({frames.data(), count});
    now = options_.clock();
    for (std::size_t i = 0; i < written.frames; ++i) {
      if (published[i] != Time{}) counters_.delivery.record(now - published[i]);
    }
  }
}

void Hub::settle(Stream& stream, const Written& written, Time now) {
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < written.frames; ++i) {
    const Event& event = *stream.queue_[0];
    events += event.events();
    bytes += event.wire_bytes();
    stream.queue_.pop_front();
  }
  if (stream.phase_ == Stream::Phase::kLive && !stream.end_when_sent_) stream.waiting_bytes_ -= bytes;
  if (bytes > 0) {
    stream.last_write_ = now;
    counters_.events_out.add(events);
    counters_.bytes_out.add(bytes);
  }
  if (written.state == Written::State::kBroken) {
    stream.end_when_sent_ = false;
    if (stream.end_ == End::kNone) depart(stream, End::kClient);
  }
}

std::size_t Hub::collect(Stream& stream, std::span<Frame> frames, std::span<Time> published) {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  while (count < frames.size() && count < stream.queue_.size() && bytes < kBatchBytesMax) {
    const Event& event = *stream.queue_[count];
    frames[count] = event.frame();
    published[count] = event.published;
    bytes += event.wire_bytes();
    ++count;
  }
  return count;
}

}  // namespace rillgate::hub
