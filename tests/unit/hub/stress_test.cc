// The hub with real threads: publishers that also write, and one owner who attaches, detaches and destroys. The
// simulation finds wrong orders; this finds what a simulation can't: data races (run it under ThreadSanitizer).

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "hub/hub.h"

namespace rillgate::hub {
namespace {

using std::chrono::milliseconds;

constexpr int kUsers = 5;
constexpr int kClients = 12;
constexpr int kPublishers = 3;
constexpr int kEventsOfEach = 10'000;

/// What one client has seen over all its streams, written by whoever holds the token of its stream, read by the owner
/// when nobody else can.
struct Client {
  enum class Kind : std::uint8_t { kOpen, kGap, kEvent };
  struct Seen {
    Kind kind;
    std::uint64_t seq;
  };
  std::string user;
  std::vector<Seen> seen = {};
  std::string last_id = {};
  class StressStream* stream = nullptr;
};

class StressStream final : public Stream {
 public:
  StressStream(Client& its_client, unsigned seed) : client(its_client), random_(seed) {}
  Client& client;
  bool is_generous = false;  // at the end its transport takes everything

 private:
  Written write(std::span<const Frame> frames) override {
    const std::size_t room = is_generous ? frames.size() : random_() % 12;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (i == room) return {.frames = i, .state = Written::State::kFull};
      read(frames[i].payload());
    }
    return {.frames = frames.size(), .state = Written::State::kAll};
  }
  void read(std::string_view payload) {
    const std::size_t id = payload.find("id: e-");
    if (id == std::string_view::npos) return;
    const std::string_view line = payload.substr(id, payload.find('\n', id) - id);
    client.last_id = line.substr(4);
    const std::uint64_t seq = std::stoull(client.last_id.substr(2));
    if (payload.starts_with("event: stream-open")) client.seen.push_back({Client::Kind::kOpen, seq});
    if (payload.starts_with("event: stream-gap")) client.seen.push_back({Client::Kind::kGap, seq});
    if (payload.starts_with("id: ")) client.seen.push_back({Client::Kind::kEvent, seq});
  }
  std::minstd_rand random_;
};

/// The owner's letters: streams whose token was left to it.
class Mailbox {
 public:
  void send(StressStream& stream) {
    const std::lock_guard lock(mutex_);
    letters_.push_back(&stream);
  }
  std::vector<StressStream*> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(letters_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<StressStream*> letters_;
};

class Stress {
 public:
  Stress(Hub::Options options, const Budget::Limits& limits) : budget_(limits), hub_(std::move(options), budget_) {
    for (int i = 0; i < kClients; ++i) clients_.push_back({.user = user(i % kUsers)});
  }

  void run() {
    std::vector<std::thread> publishers;
    for (int i = 0; i < kPublishers; ++i) publishers.emplace_back([this, i] { publish_all(static_cast<unsigned>(i)); });
    while (publishing_ > 0) act();
    for (std::thread& publisher : publishers) publisher.join();
    settle();
    EXPECT_EQ(budget_.queued_bytes(), 0U);
    EXPECT_EQ(budget_.streams(), 0U);
    EXPECT_EQ(hub_.stats().streams, 0U);
  }

  /// Every client has seen its user's events in their order, with no hole but where it was told of one, up to the last.
  void check_what_was_seen() const {
    for (const Client& client : clients_) {
      std::vector<std::uint64_t> all = published_.at(client.user);
      const auto& broadcasts = published_.at("*");
      all.insert(all.end(), broadcasts.begin(), broadcasts.end());
      std::ranges::sort(all);
      ASSERT_EQ(std::ranges::adjacent_find(all), all.end()) << "a number was given twice";
      std::size_t due = 0;       // index of the event that must come next
      bool may_be_lost = false;  // a gap covers what is missing among the events that follow on its stream
      for (const auto& [kind, seq] : client.seen) {
        const auto at = std::ranges::lower_bound(all, seq + (kind == Client::Kind::kEvent ? 0 : 1));
        const auto index = static_cast<std::size_t>(at - all.begin());
        if (kind != Client::Kind::kEvent) {
          ASSERT_TRUE(kind == Client::Kind::kGap || index == due || &seq == &client.seen.front().seq)
              << client.user << " resumed at its event " << index << " instead of " << due;
          may_be_lost = kind == Client::Kind::kGap;
          due = index;
          continue;
        }
        ASSERT_TRUE(index < all.size() && all[index] == seq) << seq << " was not published to " << client.user;
        ASSERT_TRUE(index == due || (may_be_lost && index > due))
            << client.user << " saw its event " << index << " instead of " << due;
        due = index + 1;
      }
      ASSERT_GE(std::stoull(client.last_id.substr(2)), all.back()) << "the end is missing";
    }
  }
  [[nodiscard]] const Counters& counters() const { return hub_.counters(); }

 private:
  static std::string user(int number) { return fmt::format("user{}", number); }

  // ---- Publishers

  void publish_all(unsigned seed) {
    std::minstd_rand random(seed + 1);
    std::map<std::string, std::vector<std::uint64_t>> published;
    for (int i = 0; i < kEventsOfEach; ++i) {
      const std::string to = random() % 50 == 0 ? "*" : user(static_cast<int>(random() % kUsers));
      const std::string text(random() % 60, '.');
      auto draft = Event::draft({.type = "", .data = text});
      Published result = to == "*" ? hub_.broadcast(std::move(draft)) : hub_.publish(to, std::move(draft));
      published[to].push_back(value(result.seq));
      while (!result.to_flush.empty()) {
        auto& stream = static_cast<StressStream&>(result.to_flush.pop());
        if (random() % 4 == 0) {
          mailbox_.send(stream);
        } else {
          flush(stream, result.to_flush);
        }
      }
    }
    const std::lock_guard lock(published_mutex_);
    for (const auto& [to, numbers] : published) {
      auto& all = published_[to];
      all.insert(all.end(), numbers.begin(), numbers.end());
    }
    --publishing_;
  }

  /// Writes the stream, whose token the caller holds; what only the owner may do is left to it.
  void flush(StressStream& stream, FlushList& others) {
    const Flushed flushed = hub_.flush(stream, others);
    if (flushed == Flushed::kMore || flushed == Flushed::kEnded) mailbox_.send(stream);
  }

  // ---- The owner

  void act() {
    take_mail();
    Client& client = clients_[random_() % clients_.size()];
    if (client.stream == nullptr) {
      open(client);
      return;
    }
    StressStream& stream = *client.stream;
    switch (random_() % 16) {
      case 0:
        if (hub_.detach(stream, End::kClient)) destroy(stream);
        return;
      case 1:
        if (hub_.finish(stream, End::kDrain, Event::fixed("event: stream-close\ndata:\n\n"))) own_flush(stream);
        return;
      case 2:
        if (hub_.keep_alive(stream, comment_, milliseconds(0)).to_flush) own_flush(stream);
        return;
      case 3:
        hub_.sweep();
        static_cast<void>(hub_.stats());
        return;
      default:
        if (hub_.writable(stream)) own_flush(stream);
    }
  }

  void open(Client& client) {
    Resume resume;
    if (!client.last_id.empty()) resume = {.from = Resume::From::kId, .id = client.last_id};
    const std::string id = client.last_id;  // the stream's first block changes it
    resume.id = id;
    streams_.push_back(std::make_unique<StressStream>(client, static_cast<unsigned>(random_())));
    client.stream = streams_.back().get();
    client.stream->is_generous = settling_;
    ASSERT_TRUE(hub_.attach(*client.stream, client.user, resume, milliseconds(1)).has_value());
    own_flush(*client.stream);
  }

  void own_flush(StressStream& stream) {
    FlushList others;
    others.push(stream);
    while (!others.empty()) {
      auto& next = static_cast<StressStream&>(others.pop());
      switch (hub_.flush(next, others)) {
        case Flushed::kEnded:
          destroy(next);
          break;
        case Flushed::kMore:
          others.push(next);
          break;
        case Flushed::kIdle:
        case Flushed::kBlocked:
          break;
      }
    }
  }

  void take_mail() {
    for (StressStream* stream : mailbox_.take()) own_flush(*stream);
  }

  void destroy(StressStream& stream) {
    stream.client.stream = nullptr;
    std::erase_if(streams_, [&](const auto& each) { return each.get() == &stream; });
  }

  /// Everybody reads on, then everybody leaves. The owner is alone by now.
  void settle() {
    settling_ = true;
    take_mail();
    for (Client& client : clients_) {
      // A stream that is ended while it reads on comes back once: nothing ends it then.
      for (int attempt = 0; attempt < 2; ++attempt) {
        if (client.stream == nullptr) open(client);
        if (client.stream == nullptr) continue;
        client.stream->is_generous = true;
        if (hub_.writable(*client.stream)) own_flush(*client.stream);
      }
      ASSERT_NE(client.stream, nullptr);
    }
    for (Client& client : clients_) {
      if (hub_.keep_alive(*client.stream, comment_, milliseconds(0)).to_flush) own_flush(*client.stream);
      ASSERT_TRUE(hub_.detach(*client.stream, End::kClient));
      destroy(*client.stream);
    }
  }

  Budget budget_;
  Hub hub_;
  const Ref<Event> comment_ = Event::fixed(": x\n\n");
  Mailbox mailbox_;
  std::vector<Client> clients_;
  std::vector<std::unique_ptr<StressStream>> streams_;
  std::minstd_rand random_{1};
  bool settling_ = false;
  std::atomic<int> publishing_{kPublishers};
  std::mutex published_mutex_;
  std::map<std::string, std::vector<std::uint64_t>> published_;
};

Hub::Options options() {
  return {.epoch = "e",
          .history_size = 1'000'000,
          .history_bytes = 1 << 30,
          .history_ttl = milliseconds(3'600'000),
          .stream_buffer = 4'000,
          .streams_per_user = 100,
          .clock = [] { return std::chrono::steady_clock::now(); }};
}

TEST(HubStress, WhenAllIsKeptNobodyMissesAnythingAndThereIsNoGap) {
  Stress stress(options(), {.queued_bytes = 10'000, .history_bytes = 1 << 30, .streams = 1'000});
  stress.run();
  stress.check_what_was_seen();
  EXPECT_EQ(stress.counters().gaps.value(), 0U);
  EXPECT_EQ(stress.counters().events_in.value(), std::uint64_t{kPublishers} * kEventsOfEach);
}

TEST(HubStress, WhenLittleIsKeptEveryLossIsTold) {
  Hub::Options small = options();
  small.history_size = 100;
  small.history_ttl = milliseconds(20);
  Stress stress(small, {.queued_bytes = 10'000, .history_bytes = 30'000, .streams = 1'000});
  stress.run();
  stress.check_what_was_seen();
}

}  // namespace
}  // namespace rillgate::hub
