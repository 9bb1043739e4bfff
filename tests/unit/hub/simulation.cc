#include "unit/hub/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "hub/hub.h"
#include "unit/hub/promises.h"

namespace rillgate::hub::test {
namespace {

using std::chrono::milliseconds;

constexpr int kUsers = 4;
constexpr int kClients = 10;
constexpr int kSteps = 300;

struct Block {
  std::string type;
  std::string id;
  std::string data;
};

Block read_block(std::string_view payload) {
  Block block;
  while (!payload.empty()) {
    const std::size_t end = payload.find('\n');
    const std::string_view line = payload.substr(0, end);
    payload.remove_prefix(end + 1);
    if (line.starts_with("event: ")) block.type = line.substr(7);
    if (line.starts_with("id: ")) block.id = line.substr(4);
    if (line.starts_with("data: ")) block.data = line.substr(6);
  }
  return block;
}

class World;

/// What a browser keeps: its last id, and how far it has come in the list of its user's events.
struct Client {
  World* world = nullptr;
  std::string user;
  std::string last_id;
  std::uint64_t generation_of_id = 0;  // of the hub that gave the id
  std::size_t next = 0;                // index of the event that must come next
  bool anything_may_follow = false;    // after a gap, or before the first event of `earliest`
  std::size_t holes_until = 0;         // what a gap or `earliest` covers: losses among the events up to here
  bool expects_gap = false;
  bool first_block = false;
  int room = 0;  // frames that its connection takes now
  class SimStream* stream = nullptr;

  void receive(const Block& block);
};

class SimStream final : public Stream {
 public:
  explicit SimStream(Client& client) : client_(&client) {}
  Written write(std::span<const Frame> frames) override;
  void forget_client() { client_ = nullptr; }
  [[nodiscard]] bool is_forgotten() const { return client_ == nullptr; }

 private:
  Client* client_;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_{std::mt19937_64(seed)} {
    limits_ = {.queued_bytes = static_cast<std::uint64_t>(random_.one_in(2) ? 2'000 : 1'000'000),
               .history_bytes = static_cast<std::uint64_t>(random_.one_in(2) ? 5'000 : 10'000'000),
               .streams = 1'000};
    small_history_ = random_.one_in(2);
    generous_ = !small_history_ && limits_.history_bytes > 5'000;
    for (int i = 0; i < kClients; ++i) {
      clients_.push_back(std::make_unique<Client>());
      clients_.back()->world = this;
      clients_.back()->user = fmt::format("user{}", random_.below(kUsers));
    }
    start_hub();
  }

  void run() {
    for (int step = 0; step < kSteps; ++step) {
      act();
      check_limits();
    }
    settle();
    for (const auto& client : clients_) {
      if (client->stream != nullptr) disconnect(*client);
    }
    while (!held_.empty()) flush_one();
    while (!drafts_.empty()) publish_draft();
  }

  ~World() {
    // A broken promise leaves streams behind; the hub may not outlive them attached.
    for (const auto& stream : streams_) static_cast<void>(hub_->detach(*stream, End::kClient));
  }

  const std::vector<int>& events_of(const std::string& user) { return events_[user]; }
  [[nodiscard]] bool generous() const { return generous_; }
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  /// Another thread's doings, while the hub holds no lock: it reads the clock or writes a transport.
  void meanwhile() {
    if (depth_ >= 2 || !random_.one_in(4)) return;
    ++depth_;
    switch (random_.below(3)) {
      case 0:
        make_draft();
        break;
      case 1:
        publish_draft();
        break;
      default:
        break;
    }
    --depth_;
  }

 private:
  void start_hub() {
    ++generation_;
    hub_.reset();  // before the budget that it counts in
    budget_ = std::make_unique<Budget>(limits_);
    hub_ = std::make_unique<Hub>(
        Hub::Options{.epoch = fmt::format("e{}", generation_),
                     .history_size = small_history_ ? static_cast<std::uint64_t>(random_.below(8)) : 10'000U,
                     .history_bytes = 1U << 20,
                     .history_ttl = milliseconds(generous_ ? 1'000'000'000 : 200),
                     .stream_buffer = 600,
                     .streams_per_user = 100,
                     .clock =
                         [this] {
                           meanwhile();
                           return now_;
                         }},
        *budget_);
    comment_ = Event::fixed(": x\n\n");
  }

  void restart() {
    while (!drafts_.empty()) publish_draft();
    for (const auto& client : clients_) {
      if (client->stream != nullptr) disconnect(*client);
    }
    while (!held_.empty()) flush_one();
    start_hub();
  }

  void act() {
    now_ += milliseconds(random_.below(10));
    Client& client = *clients_[static_cast<std::size_t>(random_.below(kClients))];
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2:
        make_draft();
        break;
      case 3:
      case 4:
      case 5:
      case 6:
        publish_draft();
        break;
      case 7:
      case 8:
        if (client.stream == nullptr) connect(client);
        break;
      case 9:
        if (client.stream != nullptr) disconnect(client);
        break;
      case 10:
        client.room = 0;
        break;  // it stalls
      case 11:
      case 12:
        client.room = random_.below(20);
        if (client.stream != nullptr && hub_->writable(*client.stream)) held_.push_back(client.stream);
        break;
      case 13:
        flush_one();
        break;
      case 14:
        if (client.stream != nullptr && hub_->keep_alive(*client.stream, comment_, milliseconds(0)).to_flush) {
          held_.push_back(client.stream);
        }
        break;
      default:
        switch (random_.below(8)) {
          case 0:
            if (random_.one_in(4)) restart();
            break;
          case 1:
            if (!generous_) now_ += milliseconds(150);
            hub_->sweep();
            break;
          case 2:
            if (client.stream != nullptr &&
                hub_->finish(*client.stream, End::kDrain, Event::fixed("event: stream-close\ndata:\n\n"))) {
              held_.push_back(client.stream);
            }
            break;
          default:
            break;
        }
    }
  }

  void make_draft() {
    const int number = next_number_++;
    const bool to_all = random_.one_in(5);
    const std::string text = fmt::format("{}", number) + std::string(static_cast<std::size_t>(random_.below(80)), '.');
    drafts_.push_back({.user = to_all ? "*" : fmt::format("user{}", random_.below(kUsers)),
                       .number = number,
                       .event = Event::draft({.type = "", .data = text})});
  }

  /// Publishers hand their drafts in in any order: only the hub's numbering counts.
  void publish_draft() {
    if (drafts_.empty()) return;
    const std::size_t index = static_cast<std::size_t>(random_.below(static_cast<int>(drafts_.size())));
    Draft draft = std::move(drafts_[index]);
    drafts_.erase(drafts_.begin() + static_cast<std::ptrdiff_t>(index));
    Published published =
        draft.user == "*" ? hub_->broadcast(std::move(draft.event)) : hub_->publish(draft.user, std::move(draft.event));
    // The model learns of it now: whoever published meanwhile came first, and nobody has received anything yet.
    if (draft.user == "*") {
      for (int i = 0; i < kUsers; ++i) events_[fmt::format("user{}", i)].push_back(draft.number);
    } else {
      events_[draft.user].push_back(draft.number);
    }
    hold(published.to_flush);
  }

  void connect(Client& client) {
    Resume resume;
    const int how = random_.below(8);
    client.first_block = true;
    client.expects_gap = false;
    if (how == 0) {
      resume.from = Resume::From::kEarliest;
      client.anything_may_follow = true;
      client.holes_until = events_[client.user].size();
    } else if (how == 1 || client.last_id.empty()) {
      client.next = events_[client.user].size();
      client.last_id.clear();
      client.anything_may_follow = false;
    } else {
      resume = {.from = Resume::From::kId, .id = client.last_id};
      client.expects_gap = client.generation_of_id != generation_;
    }
    client.room = random_.below(30);
    streams_.push_back(std::make_unique<SimStream>(client));
    client.stream = streams_.back().get();
    promise(hub_->attach(*client.stream, client.user, resume, milliseconds(1)).has_value(), "a stream was refused");
    held_.push_back(client.stream);
  }

  void disconnect(Client& client) {
    SimStream& stream = *std::exchange(client.stream, nullptr);
    stream.forget_client();
    if (hub_->detach(stream, End::kClient)) destroy(stream);
  }

  void destroy(SimStream& stream) {
    for (const auto& client : clients_) {
      if (client->stream == &stream) client->stream = nullptr;
    }
    std::erase_if(streams_, [&](const auto& each) { return each.get() == &stream; });
  }

  void hold(FlushList& list) {
    while (!list.empty()) held_.push_back(static_cast<SimStream*>(&list.pop()));
  }

  /// One of those who hold a token goes on.
  void flush_one() {
    if (held_.empty()) return;
    const std::size_t index = static_cast<std::size_t>(random_.below(static_cast<int>(held_.size())));
    SimStream* const stream = held_[index];
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
    FlushList others;
    const Flushed flushed = hub_->flush(*stream, others);
    hold(others);
    if (flushed == Flushed::kMore) held_.push_back(stream);
    if (flushed == Flushed::kEnded) destroy(*stream);
  }

  void check_limits() const {
    promise(budget_->history_bytes() <= limits_.history_bytes,
            fmt::format("the history holds {} bytes of {}", budget_->history_bytes(), limits_.history_bytes));
    promise(budget_->queued_bytes() <= limits_.queued_bytes,
            fmt::format("the queues hold {} bytes of {}", budget_->queued_bytes(), limits_.queued_bytes));
  }

  /// Everybody reads on; then everybody must have everything.
  void settle() {
    while (!drafts_.empty()) publish_draft();
    for (int round = 0; round < 10'000; ++round) {
      bool quiet = held_.empty();
      for (const auto& client : clients_) {
        client->room = 1'000'000;
        if (client->stream == nullptr) {
          quiet = false;
          connect(*client);
          client->room = 1'000'000;
        } else if (hub_->writable(*client->stream)) {
          quiet = false;
          held_.push_back(client->stream);
        }
      }
      while (!held_.empty()) flush_one();
      while (!drafts_.empty()) publish_draft();
      if (quiet && held_.empty()) break;
    }
    for (const auto& client : clients_) {
      const std::size_t all = events_[client->user].size();
      promise(client->anything_may_follow || client->next == all || all <= client->holes_until,
              fmt::format("a client of {} has {} of {} events at the end", client->user, client->next, all));
    }
    promise(budget_->queued_bytes() == 0, "bytes count as queued when nothing waits");
  }

  struct Draft {
    std::string user;
    int number;
    Ref<Event> event;
  };

  Random random_;
  Budget::Limits limits_{};
  bool small_history_ = false;
  bool generous_ = false;
  Time now_{std::chrono::hours(1)};
  std::uint64_t generation_ = 0;
  int next_number_ = 1;
  int depth_ = 0;
  std::map<std::string, std::vector<int>> events_;  // the model
  std::unique_ptr<Budget> budget_;
  std::unique_ptr<Hub> hub_;
  Ref<Event> comment_;
  std::vector<Draft> drafts_;
  std::vector<std::unique_ptr<SimStream>> streams_;
  std::vector<SimStream*> held_;  // somebody holds their token
  std::vector<std::unique_ptr<Client>> clients_;
};

Written SimStream::write(std::span<const Frame> frames) {
  std::size_t taken = 0;
  while (taken < frames.size()) {
    if (client_ == nullptr) return {.frames = taken, .state = Written::State::kBroken};
    if (client_->room == 0) return {.frames = taken, .state = Written::State::kFull};
    --client_->room;
    client_->receive(read_block(frames[taken].payload()));
    ++taken;
    if (client_ != nullptr) client_->world->meanwhile();
  }
  return {.frames = taken, .state = Written::State::kAll};
}

void Client::receive(const Block& block) {
  if (!block.id.empty()) {
    last_id = block.id;
    generation_of_id = world->generation();
  }
  if (block.type == "stream-gap") {
    promise(expects_gap || !world->generous(), fmt::format("a gap was told to {} though all is kept", user));
    anything_may_follow = true;
    holes_until = world->events_of(user).size();
    expects_gap = false;
    first_block = false;
    return;
  }
  promise(!expects_gap, "an id from before the restart was not answered by a gap");
  if (std::exchange(first_block, false)) {
    promise(block.type == "stream-open", "the first block is not stream-open");
    return;
  }
  if (block.data.empty()) return;
  const int number = std::stoi(block.data);
  const std::vector<int>& events = world->events_of(user);
  const auto at = std::ranges::find(events, number);
  promise(at != events.end(), fmt::format("{} got event {}, which is not its own", user, number));
  const auto index = static_cast<std::size_t>(at - events.begin());
  promise(index == next || anything_may_follow || (index > next && index <= holes_until),
          fmt::format("{} got event {} (its {}th) where the {}th was due", user, number, index, next));
  anything_may_follow = false;
  next = index + 1;
}

}  // namespace

std::optional<std::string> run_schedule(std::uint64_t seed) {
  try {
    World(seed).run();
    return std::nullopt;
  } catch (const Broken& broken) {
    return broken.what();
  }
}

}  // namespace rillgate::hub::test
