// The hub: users, their streams, their history, and the fan-out of events to them.
//
// What it guarantees:
//   - Events of one user reach each of the user's streams in the order in which they were published; a broadcast has
//     one number in all stripes, so it has its place in every user's order.
//   - A stream that resumes gets everything after its position once and in order, then live events, with no hole and no
//     repeat between the two; or it is told by a `stream-gap` block that something is no longer kept.
//   - A slow reader delays nobody: what waits for it is bounded, and past the bound the stream ends.
//   - It has no sockets, threads or clock of its own, so a simulation can drive it (tests/unit/hub/simulation.cc).
//
// Users are spread over stripes by hash; each stripe has a lock, a counter and its users' channels. No transport is
// written under a lock. A thread holds one stripe's lock at a time, or all of them taken in ascending order.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/counter.h"
#include "hub/budget.h"
#include "hub/event.h"
#include "hub/log.h"
#include "hub/position.h"
#include "hub/stream.h"

namespace rillgate::hub {

/// Where a new stream begins.
struct Resume {
  enum class From : std::uint8_t { kLive, kEarliest, kId };
  From from = From::kLive;
  std::string_view id = {};
};

struct Stripe;

/// Why a stream may not be opened.
enum class Refusal : std::uint8_t { kTooManyStreams, kTooManyStreamsOfUser };

/// What became of a published event.
struct Published {
  Seq seq{};
  std::size_t streams = 0;  // it was handed to so many
  FlushList to_flush;
};

/// What became of a flush.
enum class Flushed : std::uint8_t {
  kIdle,     // all is sent; the token is given back
  kBlocked,  // the transport is full; the token is given back until writable()
  kMore,     // there is more to send, but others want the thread too; the caller still holds the token
  kEnded,    // the stream has left its user; the caller still holds the token, and the owner must destroy the stream
};

/// Counted since the start. Any thread.
struct Counters {
  Counter events_in;
  Counter events_out;
  Counter bytes_out;
  Counter gaps;
  std::array<Counter, 4> ends;  // by End
  DurationHistogram delivery;   // from publish() to the transport's write
};

class Hub {
 public:
  struct Options {
    std::string epoch;                      // new at each start
    std::uint64_t history_size;             // events kept for a user
    std::uint64_t history_bytes;            // bytes kept for a user
    std::chrono::milliseconds history_ttl;  // no event is kept longer
    std::uint64_t stream_buffer;            // bytes that may wait for a stream
    std::uint64_t streams_per_user;
    std::function<Time()> clock;  // any thread
  };
  /// `budget` outlives the hub. With a log the hub's events are its records, and come by publish_record() only.
  Hub(Options options, Budget& budget, std::unique_ptr<Log> log = nullptr);
  /// No stream is attached any more.
  ~Hub();

  // ---- Publishing. Any thread; the caller then flushes what is in `to_flush`.

  /// To every stream of `user`, now or when it resumes.
  [[nodiscard]] Published publish(std::string_view user, Ref<Event> draft);
  /// To every stream of this hub, now or when it resumes.
  [[nodiscard]] Published broadcast(Ref<Event> draft);

  // ---- Publishing what comes from a log (log.h). The log's reader only; it flushes what comes back.

  /// Null: this hub numbers its events itself.
  [[nodiscard]] Log* log() { return log_.get(); }
  /// To every stream of `user` (of all users, without one) that does not have the record yet. `age`: how long ago it
  /// was published; the history keeps it for so much less.
  [[nodiscard]] Published publish_record(std::optional<std::string_view> user, sse::EventText text, LogRecord record,
                                         std::chrono::nanoseconds age);
  /// The log's position moves past a record that is nobody's event.
  void skip_record(LogRecord record) { log_->advance(record); }
  /// The log is known: streams that came with another one's id are told so by a gap.
  [[nodiscard]] FlushList identify_log(std::string_view name);
  /// A partition begins: streams that lack what lies before it are told so by a gap.
  [[nodiscard]] FlushList begin_partition(const Log::Begin& begin);
  /// What lay before `first` is gone from the log: all streams that lack it are told so by a gap.
  [[nodiscard]] FlushList lose_records(std::uint32_t partition, std::uint64_t first);
  /// The partition ends at `end`: streams that claim to have more are told by a gap that theirs was another log.
  [[nodiscard]] FlushList confirm_end(std::uint32_t partition, std::uint64_t end);

  // ---- Streams. The thread that owns the stream, unless another is named.

  /// Adds the stream to the user's and queues its first block: `stream-open`, or `stream-gap` when what was asked for
  /// is no longer kept. On success the caller holds the token.
  [[nodiscard]] std::expected<void, Refusal> attach(Stream& stream, std::string_view user, const Resume& resume,
                                                    std::chrono::milliseconds retry);
  /// Adds a stream that gets no first block and no history: V1. The stream is idle afterwards, so nobody may publish to
  /// it before its owner can flush it.
  [[nodiscard]] std::expected<void, Refusal> attach_bare(Stream& stream, std::string_view user);

  /// Sends what waits. The holder of the token, any thread. Streams which had to end to make room in the queues are
  /// added to `others`.
  [[nodiscard]] Flushed flush(Stream& stream, FlushList& others);
  /// The transport takes bytes again. True: the caller now holds the token and must flush.
  [[nodiscard]] bool writable(Stream& stream);
  /// Queues bytes for this stream alone. True: the caller now holds the token and must flush.
  [[nodiscard]] bool push(Stream& stream, Ref<Event> event);
  struct KeepAlive {
    bool to_flush;  // the caller now holds the token and must flush
    Time next;      // ask again then
  };
  /// When nothing was sent for `interval`: queues the stream's position if that has moved, so that the reader's cursor
  /// never ages out, and else `comment`.
  [[nodiscard]] KeepAlive keep_alive(Stream& stream, const Ref<Event>& comment, std::chrono::milliseconds interval);
  /// Lets the stream end after what waits and then `last_block` are sent. True: the caller now holds the token and must
  /// flush.
  [[nodiscard]] bool finish(Stream& stream, End reason, Ref<Event> last_block);
  /// Takes the stream from its user for `reason`. True: the caller holds the token and destroys the stream. False:
  /// somebody else holds it and will find out that the stream has ended at the next flush.
  [[nodiscard]] bool detach(Stream& stream, End reason);

  // ---- Housekeeping and figures. Any thread.

  /// Drops events older than the history's time to live, and users who have neither streams nor history.
  void sweep();

  struct Stats {
    std::uint64_t streams = 0;
    std::uint64_t users = 0;  // with streams or kept events
  };
  [[nodiscard]] Stats stats();
  [[nodiscard]] const Counters& counters() const { return counters_; }
  /// For streams whose events come from elsewhere and are pushed.
  void count_event_in() { counters_.events_in.add(); }
  void count_gap() { counters_.gaps.add(); }
  [[nodiscard]] const IdFormat& ids() const { return ids_; }

 private:
  friend class Budget;

  /// Events that go out in one write at the most: bounds the arrays on the stack and the time per system call.
  static constexpr std::size_t kBatchEventsMax = 64;
  static constexpr std::size_t kBatchBytesMax = 256 * 1024;
  /// Writes of one flush after which other streams get the thread.
  static constexpr int kFlushRoundsMax = 16;
  /// A broadcast holds all their locks and the log's, and ThreadSanitizer follows no more than 64 held at once.
  static constexpr std::size_t kStripes = 32;
  using AllLocks = std::array<std::unique_lock<std::mutex>, kStripes>;
  /// Expired events that a publisher drops in passing; the rest is for sweep().
  static constexpr int kExpiredPerPublish = 4;
  /// Expired events dropped under one hold of a stripe's lock.
  static constexpr int kExpiredPerHold = 256;
  /// Attempts to make room in the queues before a publisher gives up and ends its own user's blocked streams instead.
  static constexpr int kRoomAttemptsMax = 4;

  template <class Number>
  Published to_user(std::string_view user, const Ref<Event>& event, Time now, Number number);
  template <class Number>
  Published to_all(const Ref<Event>& event, Number number);
  Stripe& stripe_of(std::string_view user);
  AllLocks lock_all();

  // Under the lock of the stripe.
  std::expected<void, Refusal> admit(Stripe& stripe, Stream& stream, std::string_view user);
  std::size_t deliver(Channel& channel, const Ref<Event>& event, FlushList& to_flush);
  void deliver(Stream& stream, const Ref<Event>& event, FlushList& to_flush);
  template <class Visit>
  static void for_each_stream(Stripe& stripe, Visit visit);
  void enqueue(Stream& stream, Ref<Event> event, FlushList& to_flush);
  void append(Stream& stream, Ref<Event> event);
  void leave(Stream& stream, End reason);   // the caller looks after the channel that may be unused now
  void depart(Stream& stream, End reason);  // leaves, and erases the channel when it is unused
  void end_blocked(Stream& stream, FlushList& to_flush);
  void block(Stream& stream);
  void unblock(Stream& stream);
  void settle(Stream& stream, const Written& written, Time now);
  std::size_t collect(Stream& stream, std::span<Frame> frames, std::span<Time> published);

  // The history (history.cc). Under the lock of the stripe; the broadcasts under any stripe's lock to read, all to
  // write.
  void keep(Channel& channel, const Ref<Event>& event);
  void keep_broadcast(const Ref<Event>& event);
  void drop_oldest(Channel& channel);
  void drop_oldest_broadcast();
  void drop_expired(Stripe& stripe, Time now, int events_max);
  static std::uint64_t room_needed(Stripe& stripe, std::optional<std::string_view> user, const Event& event);
  void begin(Stream& stream, const Resume& resume, std::chrono::milliseconds retry);
  void refill(Stream& stream);
  [[nodiscard]] Seq dropped(const Channel& channel) const;
  [[nodiscard]] std::array<const Ring<Ref<Event>>*, 2> kept_for(const Channel& channel) const;
  [[nodiscard]] Seq first_kept_after(const Channel& channel, Seq position) const;
  void queue_gap(Stream& stream, std::string_view requested, Seq after, std::chrono::milliseconds retry);
  struct Gap {
    std::string_view requested;
    std::string id;
    std::string oldest;  // empty: nothing is kept
    std::chrono::milliseconds retry;
  };
  Ref<Event> gap_block(const Gap& gap);

  // Streams of a log (log_streams.cc). Under the lock of the stripe.
  void begin_in_log(Stream& stream, const Resume& resume, std::chrono::milliseconds retry);
  void resume_in_log(Stream& stream, const Resume& resume, std::chrono::milliseconds retry);
  [[nodiscard]] LogPosition log_position_of(const Stream& stream) const;
  [[nodiscard]] LogPosition lost_in_log(const Channel& channel) const;
  [[nodiscard]] const Event* first_wanted(const Stream& stream) const;
  [[nodiscard]] Ref<Event> as_wanted_by(Stream& stream, const Ref<Event>& event);
  void catch_up_own_position(Stream& stream);
  void find_losses_in_log(Stream& stream);
  Ref<Event> gap_in_log(Stream& stream, std::string_view requested, std::chrono::milliseconds retry);
  void tell_gap_in_log(Stream& stream, const LogPosition& had, FlushList& to_flush);
  void forget_history(std::uint32_t partition, std::uint64_t first);  // takes the locks itself
  /// Calls `visit(stream, to_flush)` for every stream, under the lock of its stripe; the stream may leave.
  template <class Visit>
  FlushList visit_streams(Visit visit);

  // For the Budget.
  struct Oldest {
    Hub* hub = nullptr;
    Stripe* stripe = nullptr;  // null: a broadcast
    Time time = Time::max();
  };
  /// The oldest kept event of this hub, if it is older than `oldest`; `second` becomes the time of the next candidate.
  void find_oldest(Oldest& oldest, Time& second);
  /// Drops the oldest events of the stripe (or broadcasts) that are not newer than `until`, while history_bytes exceed
  /// `target`.
  void drop_kept(Stripe* stripe, Time until, std::uint64_t target);
  struct Widest {
    Hub* hub = nullptr;
    Stripe* stripe = nullptr;
    std::uint64_t bytes = 0;
  };
  /// The stripe with the stream that has most waiting, if that is more than `widest`.
  void find_widest(Widest& widest);
  /// Ends the stream of the stripe that has most waiting, if it has more than `floor`.
  void end_widest(Stripe& stripe, std::uint64_t floor, FlushList& ended);

  const Options options_;
  Budget& budget_;
  const IdFormat ids_;
  const std::unique_ptr<Log> log_;
  Counters counters_;
  std::unique_ptr<Stripe[]> stripes_;

  // Broadcasts: written with all stripes locked, read with any one locked.
  Ring<Ref<Event>> broadcasts_;
  std::uint64_t broadcasts_bytes_ = 0;
  std::atomic<Time> broadcasts_oldest_{Time::max()};
  Seq broadcasts_dropped_{};
  LogPosition broadcasts_lost_;
};

}  // namespace rillgate::hub
