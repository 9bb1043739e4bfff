// The inside of the hub: a user's channel, and the stripe that holds the channels of the users hashed to it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/list.h"
#include "base/ref.h"
#include "base/ring.h"
#include "hub/event.h"
#include "hub/position.h"
#include "hub/stream.h"

namespace rillgate::hub {

/// What the hub knows of one user. Lives while the user has streams or kept events. Under the lock of its stripe.
struct Channel {
  Stripe* stripe = nullptr;
  std::string_view user;  // its key in the stripe's map
  List<Stream, OfChannel> streams;
  std::uint64_t stream_count = 0;
  Ring<Ref<Event>> events;  // the history, oldest first
  std::uint64_t events_bytes = 0;
  Seq dropped{};     // the newest event that is no longer kept, or may have been of this user
  LogPosition lost;  // of a log: what lies before and is of this user is no longer kept
};

/// Index of the first event that `is_after`, which holds for all events from some one on; the ring's size if for none.
template <class Predicate>
std::size_t first_index(const Ring<Ref<Event>>& events, Predicate is_after) {
  std::size_t low = 0;
  std::size_t high = events.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (is_after(*events[middle])) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

struct HashOfUser {
  using is_transparent = void;
  std::size_t operator()(std::string_view user) const { return std::hash<std::string_view>{}(user); }
};

struct alignas(64) Stripe {
  std::mutex mutex;
  Seq newest{};      // the counter
  Seq dropped{};     // the newest event dropped of users who are no longer in the map
  LogPosition lost;  // of a log: theirs
  std::unordered_map<std::string, Channel, HashOfUser, std::equal_to<>> channels;
  std::uint64_t streams = 0;
  List<Event, ByAge> kept;  // the history of all its users, oldest first
  List<Stream, Blocked> blocked;
  /// When the oldest kept event was published; Time::max() when none is kept. Written under the lock, read without.
  std::atomic<Time> oldest{Time::max()};

  /// The user's channel, made when there is none.
  Channel& channel_of(std::string_view user);
  /// Takes the channel out of the map when it has neither streams nor kept events.
  void erase_if_unused(Channel& channel);
  void note_oldest() { oldest.store(kept.empty() ? Time::max() : kept.front().published, std::memory_order_relaxed); }
};

}  // namespace rillgate::hub
