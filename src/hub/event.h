// One event in memory: its encoded bytes, made once and shared by the history and by every stream that still has to
// send them, in a single allocation together with the links by which the history keeps it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string_view>

#include "base/frame.h"
#include "base/list.h"
#include "base/ref.h"
#include "hub/log_position.h"
#include "hub/position.h"
#include "sse/encode.h"

namespace rillgate::hub {

using Time = std::chrono::steady_clock::time_point;

struct Channel;

struct ByAge;  // tag: the list of a stripe's kept events, oldest first

/// Immutable once it is numbered, except for the history's links, which the lock of its stripe guards. Shared by
/// counting; any thread may hold and drop it.
class Event : public ListHook<ByAge> {
 public:
  /// An event for publishing: encoded but for its id, which number() writes into room left in front. This is the costly
  /// part of publishing and needs no lock.
  [[nodiscard]] static Ref<Event> draft(sse::EventText text);
  /// An event from a log, whole: its id comes with it, so place() gives it its number only.
  [[nodiscard]] static Ref<Event> of_record(sse::EventText text, std::string_view id, LogRecord record);
  /// The same event under another id, for a stream that has a position of its own.
  [[nodiscard]] static Ref<Event> with_id(const Event& event, std::string_view id);
  /// Bytes without a number of their own: a comment, a control block, or `events` events whose ids are in the bytes.
  [[nodiscard]] static Ref<Event> fixed(std::string_view payload, std::uint32_t events = 0);

  /// Gives a draft its number and its `id:` line. Once, before anyone else sees the event.
  void number(Seq seq, const IdFormat& ids);
  /// Gives an event from a log its number in this node's order. Once, before anyone else sees the event.
  void place(Seq seq) { seq_ = seq; }

  [[nodiscard]] Seq seq() const { return seq_; }
  /// Where an event from a log came from.
  [[nodiscard]] LogRecord record() const { return record_; }
  /// The id of a numbered event.
  [[nodiscard]] std::string_view id() const;
  /// How many events of users these bytes are.
  [[nodiscard]] std::uint32_t events() const { return events_; }
  [[nodiscard]] Frame frame() const { return frame_; }
  /// Memory that keeping this event costs.
  [[nodiscard]] std::size_t memory_bytes() const { return memory_bytes_; }
  /// Bytes that sending it takes.
  [[nodiscard]] std::size_t wire_bytes() const { return frame_.chunk().size(); }

  // The history's own, under the lock of the stripe.
  Time published{};
  Channel* keeper = nullptr;

  void retain() const noexcept { holders_.fetch_add(1, std::memory_order_relaxed); }
  void release() const noexcept;

 private:
  explicit Event(std::size_t memory_bytes) : memory_bytes_(memory_bytes) {}
  ~Event() = default;
  static Event* allocate(std::size_t front_bytes, std::size_t body_bytes);
  char* text() { return reinterpret_cast<char*>(this + 1); }
  char* body() { return text() + front_bytes_; }
  void put_id(std::string_view id);
  void frame_payload(char* begin);

  mutable std::atomic<std::uint32_t> holders_{1};
  std::uint32_t front_bytes_ = 0;  // room before the body, for what is written last
  std::uint32_t body_bytes_ = 0;
  std::uint32_t events_ = 0;
  std::size_t memory_bytes_;
  Seq seq_{};
  LogRecord record_;
  Frame frame_;
};

}  // namespace rillgate::hub
