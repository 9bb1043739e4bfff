// The hub against a model that is too simple to be wrong: for each user the list of what was published to it. The
// input's bytes decide who publishes, connects, stalls, reads on and leaves, and how much the hub may hold.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hub/hub.h"

namespace {

using namespace rillgate;
using std::chrono::milliseconds;

constexpr std::size_t kUsers = 3;
constexpr std::size_t kClients = 4;
constexpr std::size_t kPlenty = 1'000'000;

void require(bool holds) {
  if (!holds) std::abort();
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}
  [[nodiscard]] bool is_empty() const { return at_ == end_; }
  std::uint8_t take() { return is_empty() ? 0 : *at_++; }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

/// One who listens to one user, over any number of streams.
struct Client {
  std::string user;
  std::vector<std::string> events = {};  // the model: what was published to this user, broadcasts among them
  std::string last_id = {};
  std::size_t due = 0;           // index of the event that must come next ...
  bool may_come_again = false;   // ... or any, after a gap and at the start of `earliest`
  std::size_t losses_until = 0;  // those cover losses among the events up to here
  std::unique_ptr<class FuzzStream> stream = {};

  void read(std::string_view payload) {
    const std::size_t id = payload.find("id: ");
    if (id == std::string_view::npos) return;  // a comment, or the last block
    last_id = payload.substr(id + 4, payload.find('\n', id) - id - 4);
    if (payload.starts_with("event: stream-gap")) allow_losses();
    if (id != 0) return;  // a block of the hub's own
    const std::size_t data = payload.find("data: ") + 6;
    const auto at = std::ranges::find(events, payload.substr(data, payload.size() - data - 2));
    const auto index = static_cast<std::size_t>(at - events.begin());
    require(index < events.size());
    require(index == due || may_come_again || (index > due && index <= losses_until));
    may_come_again = false;
    due = index + 1;
  }
  void allow_losses() {
    may_come_again = true;
    losses_until = events.size();
  }
  [[nodiscard]] bool has_everything() const {
    return may_come_again || due == events.size() || events.size() <= losses_until;
  }
};

class FuzzStream final : public hub::Stream {
 public:
  FuzzStream(Client& client, std::size_t its_room) : room(its_room), client_(client) {}
  [[nodiscard]] Client& client() { return client_; }
  std::size_t room;  // frames that its transport takes

 private:
  Written write(std::span<const Frame> frames) override {
    std::size_t taken = 0;
    for (; taken < frames.size() && room > 0; ++taken, --room) client_.read(frames[taken].payload());
    return {.frames = taken, .state = taken == frames.size() ? Written::State::kAll : Written::State::kFull};
  }
  Client& client_;
};

class World {
 public:
  explicit World(Input& input)
      : input_(input),
        limits_{.queued_bytes = 100 + input.take() * 20U, .history_bytes = 500 + input.take() * 50U, .streams = 100},
        budget_(limits_),
        hub_({.epoch = "e",
              .history_size = input.take() % 16U,
              .history_bytes = 100 + input.take() * 10U,
              .history_ttl = milliseconds(1 + input.take()),
              .stream_buffer = 50 + input.take() * 4U,
              .streams_per_user = 3,
              .clock = [this] { return now_; }},
             budget_) {
    for (std::size_t i = 0; i < kClients; ++i) clients_[i].user = std::string(1, static_cast<char>('a' + i % kUsers));
  }

  void run() {
    while (!input_.is_empty()) {
      act();
      require(budget_.queued_bytes() <= limits_.queued_bytes && budget_.history_bytes() <= limits_.history_bytes);
    }
    settle();
    require(budget_.queued_bytes() == 0 && budget_.streams() == 0 && hub_.stats().streams == 0);
    now_ += std::chrono::hours(1);
    hub_.sweep();
    require(budget_.history_bytes() == 0 && hub_.stats().users == 0);
  }

 private:
  void act() {
    const std::uint8_t deed = input_.take();
    Client& client = clients_[deed % kClients];
    now_ += milliseconds(deed >> 6);
    switch (deed / kClients % 8) {
      case 0:
      case 1:
        publish(client.user);
        return;
      case 2:
        publish("*");
        return;
      case 3:
        if (client.stream == nullptr) connect(client);
        return;
      case 4:
        if (client.stream != nullptr && hub_.detach(*client.stream, hub::End::kClient)) client.stream.reset();
        return;
      case 5:
        if (client.stream == nullptr) return;
        client.stream->room = input_.take();
        if (hub_.writable(*client.stream)) flush(*client.stream);
        return;
      case 6:
        if (client.stream != nullptr && hub_.keep_alive(*client.stream, comment_, milliseconds(0)).to_flush) {
          flush(*client.stream);
        }
        return;
      default:
        hub_.sweep();
        if (client.stream != nullptr && deed % 3 == 0 &&
            hub_.finish(*client.stream, hub::End::kDrain, hub::Event::fixed("event: stream-close\ndata:\n\n"))) {
          flush(*client.stream);
        }
    }
  }

  void publish(const std::string& user) {
    std::string text = std::to_string(++published_) + std::string(input_.take() % 64, '.');
    for (Client& client : clients_) {
      if (user == "*" || client.user == user) client.events.push_back(text);
    }
    auto draft = hub::Event::draft({.type = "", .data = text});
    hub::Published result = user == "*" ? hub_.broadcast(std::move(draft)) : hub_.publish(user, std::move(draft));
    flush_all(result.to_flush);
  }

  void connect(Client& client) {
    const std::uint8_t how = input_.take();
    const std::string id = client.last_id;  // the stream's first block changes it
    hub::Resume resume;
    if (how % 8 == 0) {
      resume.from = hub::Resume::From::kEarliest;
      client.allow_losses();
    } else if (how % 8 == 1 || id.empty()) {
      client.due = client.events.size();
      client.last_id.clear();  // it begins anew
      client.may_come_again = false;
    } else {
      resume = {.from = hub::Resume::From::kId, .id = id};
    }
    client.stream = std::make_unique<FuzzStream>(client, how / 8);
    require(hub_.attach(*client.stream, client.user, resume, milliseconds(1)).has_value());
    flush(*client.stream);
  }

  void flush(FuzzStream& stream) {
    hub::FlushList list;
    list.push(stream);
    flush_all(list);
  }
  void flush_all(hub::FlushList& list) {
    while (!list.empty()) {
      auto& stream = static_cast<FuzzStream&>(list.pop());
      const hub::Flushed flushed = hub_.flush(stream, list);
      if (flushed == hub::Flushed::kMore) list.push(stream);
      if (flushed == hub::Flushed::kEnded) stream.client().stream.reset();
    }
  }

  /// Everybody reads on, and must have everything then; everybody leaves.
  void settle() {
    for (Client& client : clients_) {
      if (client.stream != nullptr) {
        client.stream->room = kPlenty;
        if (hub_.writable(*client.stream)) flush(*client.stream);
      }
      if (client.stream == nullptr) continue;  // it was being finished
      require(client.has_everything());
      require(hub_.detach(*client.stream, hub::End::kClient));
      client.stream.reset();
    }
  }

  Input& input_;
  const hub::Budget::Limits limits_;
  hub::Time now_{std::chrono::hours(1)};
  hub::Budget budget_;
  hub::Hub hub_;
  const Ref<hub::Event> comment_ = hub::Event::fixed(": x\n\n");
  std::uint64_t published_ = 0;
  std::array<Client, kClients> clients_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  World(input).run();
  return 0;
}
