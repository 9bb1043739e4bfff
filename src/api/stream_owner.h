// The streams of one reactor, and how any thread leaves it some to flush.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "hub/stream.h"
#include "io/reactor.h"

namespace rillgate::api {

class EventStream;

/// As many as `threads` may be set to.
inline constexpr std::size_t kReactorsMax = 256;

/// A table of streams with a mark for each: any thread leaves a stream to its owner by one atomic step, and the owner
/// finds the marked ones in the order in which they came. Their sockets lie in the kernel's memory in that order; a
/// fan-out in any other costs a quarter more (docs/decisions/0007-writes-at-the-end-of-a-round.md).
class StreamTable {
  static constexpr std::uint32_t kWordBits = 64;
  static constexpr std::uint32_t kBlockStreams = kWordBits * kWordBits;
  struct Block;

 public:
  /// Where a stream is.
  struct Place {
    Block* block = nullptr;
    std::uint32_t block_number = 0;
    std::uint32_t index = 0;
  };
  using Batch = std::array<EventStream*, kWordBits>;
  /// How far a walk through the marks has come.
  struct Walk {
    std::size_t blocks = 0;   // begun
    std::uint64_t words = 0;  // of the last of these that are still to be looked at
  };

  StreamTable();
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;
  ~StreamTable();

  // ---- The owner's thread

  [[nodiscard]] Place add(EventStream& stream);
  void remove(Place place);
  [[nodiscard]] std::vector<EventStream*> all() const;
  /// Takes some marks away and says whose they were; 0 at the end of the walk. All that were marked before it began are
  /// found by one walk.
  [[nodiscard]] std::size_t take_marked(Walk& walk, Batch& streams);

  // ---- Any thread

  static void mark(Place place);

 private:
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::uint32_t> free_;  // counted through all blocks
};

/// On its reactor's thread, except where another is named.
class StreamOwner final : private io::MailItem {
 public:
  /// `round_bytes_max`: when so much was published in a round, streams are not left for its end.
  StreamOwner(io::Reactor& its_reactor, std::size_t its_index, std::size_t round_bytes_max)
      : reactor(its_reactor), index(its_index), round_bytes_max_(round_bytes_max) {}

  io::Reactor& reactor;
  const std::size_t index;  // among the reactors

  void add(EventStream& stream);
  void remove(const EventStream& stream);
  [[nodiscard]] std::vector<EventStream*> streams() const { return table_.all(); }
  /// How many these are. Any thread.
  [[nodiscard]] std::size_t open() const { return open_.load(std::memory_order_relaxed); }

  /// Flushes streams, whose tokens the caller holds, at the end of this round: what is published in one goes out in one
  /// write to each stream, and whoever reads is woken once. Those of other reactors too, unless they are many. `bytes`:
  /// what was published to each.
  void flush_soon(hub::FlushList streams, std::size_t bytes);

  /// Leaves a stream to this owner, which flushes it soon after call(). Whoever calls holds its token no longer. Any
  /// thread.
  static void leave(EventStream& stream);
  /// Any thread.
  void call();

 private:
  void on_mail() override;

  const std::size_t round_bytes_max_;
  StreamTable table_;
  std::atomic<std::size_t> open_{0};
  std::atomic<bool> called_{false};  // the letter is under way
  hub::FlushList of_others_;         // to be flushed by this thread although others own them
  std::size_t round_bytes_ = 0;
};

/// Lets the owners flush streams whose tokens the caller holds. Any thread.
void flush_by_owners(hub::FlushList streams);

/// The same, and returns when each owner has done so. For a thread that publishes faster than sockets take: not for an
/// owner.
void flush_by_owners_and_wait(hub::FlushList streams);

}  // namespace rillgate::api
