// A stream as the hub sees it: something that takes frames. HTTP/1.1 implements it, and so does the simulation; the hub
// knows no socket.
//
// The flush token. Many threads publish, but a transport must be written by one at a time. So each stream has one
// token. Whoever turns an idle stream to busy holds it: that is the publisher who queued the first event, or the
// owner. The holder calls Hub::flush until it says idle or blocked, which gives the token back. Only the owner thread
// destroys a stream, and only while it holds the token; so a holder may touch the stream without any lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/frame.h"
#include "base/list.h"
#include "base/ref.h"
#include "base/ring.h"
#include "hub/event.h"
#include "hub/log.h"
#include "hub/position.h"

namespace rillgate::hub {

struct Channel;
struct Stripe;
class FlushList;
class Hub;

struct OfChannel;  // tag: the streams of a channel
struct Blocked;    // tag: the streams of a stripe whose transport is full

/// Why a stream ended. Also the label `reason` of rillgate_stream_ends_total.
enum class End : std::uint8_t { kNone, kClient, kSlowConsumer, kDrain };

class Stream : public ListHook<OfChannel>, public ListHook<Blocked> {
 public:
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

 protected:
  Stream() = default;
  ~Stream() = default;

  /// Sends what the transport takes now, without waiting. Called by the holder of the flush token, on its thread. After
  /// kFull the same frames are offered again, the partly sent one first, once the owner has called Hub::writable.
  virtual Written write(std::span<const Frame> frames) = 0;

 private:
  friend class Hub;
  friend class FlushList;

  /// Waiting events, most often none or one: the first lives in the stream itself and costs no allocation.
  class Queue {
   public:
    [[nodiscard]] bool empty() const { return !first_; }
    [[nodiscard]] std::size_t size() const { return first_ ? 1 + rest_.size() : 0; }
    const Ref<Event>& operator[](std::size_t index) const { return index == 0 ? first_ : rest_[index - 1]; }
    void push_back(Ref<Event> event) {
      if (first_) {
        rest_.push_back(std::move(event));
      } else {
        first_ = std::move(event);
      }
    }
    void pop_front() { first_ = rest_.empty() ? Ref<Event>{} : rest_.pop_front(); }
    void clear() {
      first_ = {};
      rest_.clear();
    }

   private:
    Ref<Event> first_;
    Ring<Ref<Event>> rest_;
  };

  enum class State : std::uint8_t {
    kIdle,      // nothing waits; nobody holds the token
    kFlushing,  // somebody holds the token
    kBlocked,   // the transport is full; nobody holds the token until the owner hears that it is writable
  };
  enum class Phase : std::uint8_t {
    kReplay,  // reads the history from `position_` on; live events wait there for it
    kLive,    // events come to the queue
  };

  // All of this belongs to the lock of the channel's stripe.
  Stripe* stripe_ = nullptr;    // of its user, for the stream's whole life
  Channel* channel_ = nullptr;  // null once the stream has left its user
  std::size_t place_in_stripe_ = 0;
  Stream* next_to_flush_ = nullptr;
  Queue queue_;
  std::uint64_t waiting_bytes_ = 0;
  Time last_write_{};
  Seq position_{};                    // what the reader has once the queue is written
  Seq known_dropped_{};               // losses up to here were announced by a gap
  std::unique_ptr<OwnPosition> own_;  // of a log, while position_ does not say it all
  State state_ = State::kIdle;
  Phase phase_ = Phase::kLive;
  End end_ = End::kNone;
  bool end_when_sent_ = false;
  bool writable_meanwhile_ = false;  // the transport became writable while a holder was finding it full
};

/// Streams whose token the caller now holds: it must flush each one, or hand it to its owner to do so.
class FlushList {
 public:
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] std::size_t size() const { return size_; }
  void push(Stream& stream) {
    stream.next_to_flush_ = first_;
    first_ = &stream;
    ++size_;
  }
  Stream& pop() {
    Stream& stream = *first_;
    first_ = std::exchange(stream.next_to_flush_, nullptr);
    --size_;
    return stream;
  }

 private:
  Stream* first_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace rillgate::hub
