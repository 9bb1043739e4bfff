// The inside of the hub: a user's channel, and the stripe that holds the channels of the users hashed to it.
#pragma once

#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/list.h"
#include "base/prefetch.h"
#include "base/ref.h"
#include "base/ring.h"
#include "hub/event.h"
#include "hub/hub.h"
#include "hub/position.h"
#include "hub/stream.h"

namespace rillgate::hub {

/// What the hub knows of one user. Lives while the user has streams or kept events. Under the lock of its stripe.
struct Channel {
  Stripe* stripe = nullptr;
  std::string user;
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
  std::size_t operator()(std::string_view user) const { return std::hash<std::string_view>{}(user); }
};

struct alignas(64) Stripe {
  std::mutex mutex;
  Seq newest{};      // the counter
  Seq dropped{};     // the newest event dropped of users who are no longer in the map
  LogPosition lost;  // of a log: theirs
  boost::unordered_flat_map<std::string_view, std::unique_ptr<Channel>, HashOfUser> channels;  // by `user`
  std::vector<Stream*> streams;                                                                // of all its users
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

/// Calls `visit(stream)` for all; that stream may leave meanwhile.
template <class Visit>
void Hub::for_each_stream(Stripe& stripe, Visit visit) {
  std::vector<Stream*>& streams = stripe.streams;
  for (std::size_t i = 0; i < streams.size();) {
    if (i + kPrefetchAhead < streams.size()) prefetch(streams[i + kPrefetchAhead], sizeof(Stream));
    Stream& stream = *streams[i];
    Channel& channel = *stream.channel_;
    visit(stream);
    if (stream.channel_ != nullptr) {
      ++i;
    } else {
      stripe.erase_if_unused(channel);  // the stream has left, and another one has its place
    }
  }
}

}  // namespace rillgate::hub
