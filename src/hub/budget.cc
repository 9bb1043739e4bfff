#include "hub/budget.h"

#include <algorithm>

#include "hub/hub.h"
#include "hub/impl/stripe.h"

namespace rillgate::hub {
namespace {

/// Once the history is full, so much more is dropped than must be: each search for the oldest events then pays for
/// many. But not thousands at once, since whoever publishes just then would wait for milliseconds.
constexpr std::uint64_t kTrimShare = 64;
constexpr std::uint64_t kTrimBytesMax = 64 * 1024;

}  // namespace

void Budget::trim_history() {
  if (history_bytes() <= limits_.history_bytes) return;
  const std::uint64_t target = limits_.history_bytes - std::min(limits_.history_bytes / kTrimShare, kTrimBytesMax);
  while (history_bytes() > target) {
    Hub::Oldest oldest;
    Time second = Time::max();
    for (Hub* hub : hubs_) hub->find_oldest(oldest, second);
    if (oldest.hub == nullptr) return;
    oldest.hub->drop_kept(oldest.stripe, second, target);
  }
}

bool Budget::make_room_in_queues(std::uint64_t bytes, std::uint64_t floor, FlushList& ended) {
  while (!has_room_in_queues(bytes)) {
    Hub::Widest widest{.bytes = floor};
    for (Hub* hub : hubs_) hub->find_widest(widest);
    if (widest.hub == nullptr) return false;
    widest.hub->end_widest(*widest.stripe, floor, ended);
  }
  return true;
}

// ---- The hub's part

void Hub::find_widest(Widest& widest) {
  for (std::size_t i = 0; i < kStripes; ++i) {
    const std::lock_guard lock(stripes_[i].mutex);
    for (const Stream& stream : stripes_[i].blocked) {
      if (stream.waiting_bytes_ > widest.bytes) widest = {this, &stripes_[i], stream.waiting_bytes_};
    }
  }
}

void Hub::end_widest(Stripe& stripe, std::uint64_t floor, FlushList& ended) {
  const std::lock_guard lock(stripe.mutex);
  Stream* most = nullptr;
  for (Stream& stream : stripe.blocked) {
    if (stream.waiting_bytes_ > (most == nullptr ? floor : most->waiting_bytes_)) most = &stream;
  }
  if (most == nullptr || most->channel_ == nullptr) return;
  Channel& channel = *most->channel_;
  end_blocked(*most, ended);
  stripe.erase_if_unused(channel);
}

}  // namespace rillgate::hub
