#include "api/stream_owner.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <latch>
#include <utility>

#include "api/event_stream.h"
#include "base/prefetch.h"

namespace rillgate::api {
namespace {

/// Up to so many streams of other reactors a publisher writes itself; more go to their owners.
/// Measured in docs/decisions/0002-publisher-writes.md.
constexpr std::size_t kOthersMax = 16;

}  // namespace

// ---- StreamTable

struct StreamTable::Block {
  std::atomic<std::uint64_t> marked_words{0};  // those of `marks` that are not 0, or were
  std::array<std::atomic<std::uint64_t>, kWordBits> marks{};
  std::array<EventStream*, kBlockStreams> streams{};
};

StreamTable::StreamTable() = default;
StreamTable::~StreamTable() = default;

StreamTable::Place StreamTable::add(EventStream& stream) {
  if (free_.empty()) {
    blocks_.push_back(std::make_unique<Block>());
    const auto end = static_cast<std::uint32_t>(blocks_.size() * kBlockStreams);
    free_.reserve(end);
    for (std::uint32_t number = end; number > end - kBlockStreams;) free_.push_back(--number);  // the first one on top
  }
  const std::uint32_t number = free_.back();
  free_.pop_back();
  const std::uint32_t block_number = number / kBlockStreams;
  const Place place{blocks_[block_number].get(), block_number, number % kBlockStreams};
  place.block->streams[place.index] = &stream;
  return place;
}

void StreamTable::remove(Place place) {
  place.block->streams[place.index] = nullptr;
  free_.push_back(place.block_number * kBlockStreams + place.index);
}

std::vector<EventStream*> StreamTable::all() const {
  std::vector<EventStream*> result;
  for (const auto& block : blocks_) {
    std::ranges::copy_if(block->streams, std::back_inserter(result),
                         [](const auto* stream) { return stream != nullptr; });
  }
  return result;
}

void StreamTable::mark(Place place) {
  const std::size_t word = place.index / kWordBits;
  place.block->marks[word].fetch_or(std::uint64_t{1} << (place.index % kWordBits));
  // Seen here, the word's bit is taken away before its marks are.
  const std::uint64_t bit = std::uint64_t{1} << word;
  if ((place.block->marked_words.load() & bit) == 0) place.block->marked_words.fetch_or(bit);
}

std::size_t StreamTable::take_marked(Walk& walk, Batch& streams) {
  std::size_t count = 0;
  while (count == 0) {
    while (walk.words == 0) {
      if (walk.blocks == blocks_.size()) return 0;
      Block& next = *blocks_[walk.blocks++];
      if (next.marked_words.load() != 0) walk.words = next.marked_words.exchange(0);
    }
    Block& block = *blocks_[walk.blocks - 1];
    const auto word = static_cast<std::size_t>(std::countr_zero(walk.words));
    walk.words &= walk.words - 1;
    for (std::uint64_t marks = block.marks[word].exchange(0); marks != 0; marks &= marks - 1) {
      streams[count++] = block.streams[word * kWordBits + static_cast<std::size_t>(std::countr_zero(marks))];
    }
  }
  return count;
}

// ---- StreamOwner

void StreamOwner::add(EventStream& stream) {
  stream.place_ = table_.add(stream);
  open_.fetch_add(1, std::memory_order_relaxed);
}

void StreamOwner::remove(const EventStream& stream) {
  table_.remove(stream.place_);
  open_.fetch_sub(1, std::memory_order_relaxed);
}

void StreamOwner::leave(EventStream& stream) {
  StreamTable::mark(stream.place_);
}

void StreamOwner::call() {
  if (called_ || called_.exchange(true)) return;
  io::MailChain mail;
  mail.add(*this);
  reactor.send(mail);
}

void StreamOwner::flush_soon(hub::FlushList streams, std::size_t bytes) {
  const bool any = !streams.empty();
  while (!streams.empty()) {
    auto& stream = static_cast<EventStream&>(streams.pop());
    if (&stream.owner_ == this) {
      leave(stream);
    } else {
      of_others_.push(stream);
    }
  }
  if (of_others_.size() > kOthersMax) flush_by_owners(std::exchange(of_others_, {}));
  round_bytes_ += bytes;  // without streams too: those that wait for a flush already get more to send
  if (round_bytes_ >= round_bytes_max_) {
    on_mail();
  } else if (any) {
    call();
  }
}

void StreamOwner::on_mail() {
  called_ = false;  // before the marks are taken: whoever marks later calls again
  round_bytes_ = 0;
  while (!of_others_.empty()) static_cast<EventStream&>(of_others_.pop()).flush();

  StreamTable::Walk walk;
  StreamTable::Batch streams;
  while (const std::size_t count = table_.take_marked(walk, streams)) {
    // The object, then what it points to, then its turn.
    for (std::size_t i = 0; i < count + 2 * kPrefetchAhead; ++i) {
      if (i < count) prefetch(streams[i], sizeof(EventStream));
      if (i >= kPrefetchAhead && i - kPrefetchAhead < count) streams[i - kPrefetchAhead]->prefetch_sink();
      if (i >= 2 * kPrefetchAhead) streams[i - 2 * kPrefetchAhead]->flush();
    }
  }
}

// ---- All owners

namespace {

/// The owners of streams, each once.
class Owners {
 public:
  /// Leaves the streams to their owners.
  explicit Owners(hub::FlushList streams) {
    while (!streams.empty()) {
      auto& stream = static_cast<EventStream&>(streams.pop());
      StreamOwner& owner = stream.owner();
      assert(owner.index < kReactorsMax);
      for (; count_ <= owner.index; ++count_) owners_[count_] = nullptr;
      owners_[owner.index] = &owner;
      StreamOwner::leave(stream);
    }
  }
  template <class Visit>
  void for_each(Visit visit) {
    for (std::size_t i = 0; i < count_; ++i) {
      if (owners_[i] != nullptr) visit(*owners_[i]);
    }
  }

 private:
  std::array<StreamOwner*, kReactorsMax> owners_;
  std::size_t count_ = 0;
};

struct Fence final : io::MailItem {
  void on_mail() override { passed->count_down(); }
  std::latch* passed = nullptr;
};

}  // namespace

void flush_by_owners(hub::FlushList streams) {
  Owners(std::exchange(streams, {})).for_each([](StreamOwner& owner) { owner.call(); });
}

void flush_by_owners_and_wait(hub::FlushList streams) {
  Owners owners(std::exchange(streams, {}));
  std::ptrdiff_t count = 0;
  owners.for_each([&](StreamOwner&) { ++count; });
  std::latch passed(count);
  std::array<Fence, kReactorsMax> fences;
  owners.for_each([&](StreamOwner& owner) {
    owner.call();
    Fence& fence = fences[owner.index];
    fence.passed = &passed;
    io::MailChain mail;
    mail.add(fence);
    owner.reactor.send(mail);
  });
  passed.wait();
}

}  // namespace rillgate::api
