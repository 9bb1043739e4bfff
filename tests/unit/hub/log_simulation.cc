#include "unit/hub/log_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <vector>

#include "hub/hub.h"
#include "unit/hub/promises.h"

namespace rillgate::hub::test {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kPartitions = 3;
constexpr std::size_t kNodes = 2;
constexpr int kUsers = 3;
constexpr int kClients = 8;
constexpr int kSteps = 400;
constexpr int kPlenty = 1'000'000;

/// What was produced: the user of each record, by partition and offset.
struct ProducedLog {
  std::array<std::vector<std::string>, kPartitions> users;
  std::array<std::uint64_t, kPartitions> first{};  // what lies before is gone

  [[nodiscard]] std::uint64_t end(std::uint32_t partition) const { return users[partition].size(); }
};

class LogStream;

/// What a browser keeps, and what it may still expect.
struct Client {
  std::string user;
  std::string last_id;
  struct Lane {
    std::uint64_t next = 0;       // what lies before it has, or need not get
    std::uint64_t must_from = 0;  // what lies before it need not get
    std::uint64_t lost_until = 0;
    bool may_repeat = false;
  };
  std::array<Lane, kPartitions> lanes;
  int room = 0;
  LogStream* stream = nullptr;

  void receive(std::string_view payload, const ProducedLog& log, bool generous);
};

class LogStream final : public Stream {
 public:
  LogStream(Client& its_client, std::size_t its_node, const ProducedLog& log, bool generous)
      : node(its_node), client_(&its_client), log_(log), generous_(generous) {}
  void forget_client() { client_ = nullptr; }
  const std::size_t node;

 private:
  Written write(std::span<const Frame> frames) override {
    if (client_ == nullptr) return {.frames = 0, .state = Written::State::kBroken};
    std::size_t taken = 0;
    for (; taken < frames.size() && client_->room > 0; ++taken, --client_->room) {
      client_->receive(frames[taken].payload(), log_, generous_);
    }
    return {.frames = taken, .state = taken == frames.size() ? Written::State::kAll : Written::State::kFull};
  }
  Client* client_;
  const ProducedLog& log_;
  const bool generous_;
};

std::string_view line_of(std::string_view payload, std::string_view name) {
  const std::size_t begin = payload.find(name);
  if (begin == std::string_view::npos) return {};
  payload.remove_prefix(begin + name.size());
  return payload.substr(0, payload.find('\n'));
}

void Client::receive(std::string_view payload, const ProducedLog& log, bool generous) {
  const std::string_view type = line_of(payload, "event: ");
  if (const std::string_view id = line_of(payload, "id: "); !id.empty()) last_id = id;
  if (type == "stream-gap") {
    promise(!generous, fmt::format("{} was told of a gap though nothing was lost: {}", user, payload));
    for (std::uint32_t i = 0; i < kPartitions; ++i) {
      lanes[i].may_repeat = true;
      lanes[i].lost_until = log.end(i);
    }
    return;
  }
  const std::string_view data = line_of(payload, "data: ");
  if (!type.empty() || data.empty()) return;
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
  const char* const colon = std::from_chars(data.begin(), data.end(), partition).ptr;
  std::from_chars(colon + 1, data.end(), offset);
  const std::string& whose = log.users[partition][offset];
  promise(whose == user || whose == "*", fmt::format("{} got {}, which is {}'s", user, data, whose));
  Lane& lane = lanes[partition];
  promise(offset >= lane.next || lane.may_repeat, fmt::format("{} got {} after {} already", user, data, lane.next));
  for (std::uint64_t i = std::max(lane.next, lane.must_from); i < offset; ++i) {
    const bool is_own = log.users[partition][i] == user || log.users[partition][i] == "*";
    promise(!is_own || i < lane.lost_until, fmt::format("{} got {} without {}:{}", user, data, partition, i));
  }
  lane.may_repeat = false;
  lane.next = offset + 1;
}

/// One server process, and the thread in it that reads the log.
struct Node {
  std::unique_ptr<Budget> budget;
  std::unique_ptr<Hub> hub;
  std::array<std::uint64_t, kPartitions> next{};
  std::array<bool, kPartitions> has_begun{};
  std::array<std::uint64_t, kPartitions> end_at_start{};
  bool is_identified = false;

  [[nodiscard]] bool has_all_begun() const {
    return std::ranges::all_of(has_begun, [](bool begun) { return begun; });
  }
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_{std::mt19937_64(seed)}, generous_(random_.one_in(2)) {
    for (int i = 0; i < kClients; ++i) {
      clients_.push_back(std::make_unique<Client>());
      clients_.back()->user = fmt::format("user{}", random_.below(kUsers));
    }
    for (std::size_t i = 0; i < kNodes; ++i) start(i);
  }
  ~World() {
    for (const auto& stream : streams_) static_cast<void>(nodes_[stream->node].hub->detach(*stream, End::kClient));
  }

  void run() {
    for (int step = 0; step < kSteps; ++step) act();
    settle();
  }

 private:
  void start(std::size_t index) {
    Node& node = nodes_[index];
    node.hub.reset();
    node = Node{};
    for (std::uint32_t i = 0; i < kPartitions; ++i) node.end_at_start[i] = log_.end(i);
    node.budget = std::make_unique<Budget>(
        Budget::Limits{.queued_bytes = 1'000'000,
                       .history_bytes = static_cast<std::uint64_t>(generous_ || random_.one_in(2) ? 10'000'000 : 8'000),
                       .streams = 1'000});
    node.hub = std::make_unique<Hub>(
        Hub::Options{.epoch = "e",
                     .history_size = generous_ ? 10'000U : static_cast<std::uint64_t>(random_.below(12)),
                     .history_bytes = 1U << 20,
                     .history_ttl = milliseconds(generous_ ? 1'000'000'000 : 300),
                     .stream_buffer = 800,
                     .streams_per_user = 100,
                     .clock = [this] { return now_; }},
        *node.budget, std::make_unique<Log>());
  }

  void restart(std::size_t index) {
    for (const auto& client : clients_) {
      if (client->stream != nullptr && client->stream->node == index) disconnect(*client);
    }
    while (!held_.empty()) flush_one();
    start(index);
  }

  void act() {
    now_ += milliseconds(random_.below(5));
    const auto node = static_cast<std::size_t>(random_.below(kNodes));
    Client& client = *clients_[static_cast<std::size_t>(random_.below(kClients))];
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        produce();
        return;
      case 4:
      case 5:
      case 6:
      case 7:
        read(node);
        return;
      case 8:
      case 9:
        if (client.stream == nullptr) connect(client, node);
        return;
      case 10:
        if (client.stream != nullptr) disconnect(client);
        return;
      case 11:
        client.room = 0;
        return;
      case 12:
        client.room = random_.below(20);
        if (client.stream != nullptr && hub_of(client).writable(*client.stream)) held_.push_back(client.stream);
        return;
      case 13:
      case 14:
        flush_one();
        return;
      default:
        act_rarely(node, client);
    }
  }

  void act_rarely(std::size_t node, Client& client) {
    switch (random_.below(6)) {
      case 0:
        if (random_.one_in(3)) restart(node);
        return;
      case 1:
        if (client.stream != nullptr && hub_of(client).keep_alive(*client.stream, comment_, milliseconds(0)).to_flush) {
          held_.push_back(client.stream);
        }
        return;
      case 2:
        if (!generous_) now_ += milliseconds(200);
        nodes_[node].hub->sweep();
        return;
      case 3:
        if (!generous_) expire(static_cast<std::uint32_t>(random_.below(kPartitions)));
        return;
      case 4:
        confirm(node);
        return;
      default:
        skip(node);
    }
  }

  void produce() {
    const auto partition = static_cast<std::size_t>(random_.below(kPartitions));
    log_.users[partition].push_back(random_.one_in(6) ? "*" : fmt::format("user{}", random_.below(kUsers)));
  }

  /// The log drops its oldest records.
  void expire(std::uint32_t partition) {
    const auto some = static_cast<std::uint64_t>(random_.below(10));
    log_.first[partition] = std::min(log_.end(partition), log_.first[partition] + some);
  }

  void begin(Node& node, std::uint32_t partition) {
    if (!node.is_identified) {
      node.is_identified = true;
      hold(node.hub->identify_log("cluster/topic"));
    }
    std::uint64_t first = log_.first[partition];
    if (!generous_)
      first += static_cast<std::uint64_t>(random_.below(static_cast<int>(log_.end(partition) - first + 1)));
    node.has_begun[partition] = true;
    node.next[partition] = first;
    hold(
        node.hub->begin_partition({.partition = partition, .first = first, .live_from = node.end_at_start[partition]}));
    if (node.has_all_begun()) node.hub->log()->complete();
  }

  void read(std::size_t index) {
    Node& node = nodes_[index];
    const auto partition = static_cast<std::uint32_t>(random_.below(kPartitions));
    if (!node.has_begun[partition]) {
      begin(node, partition);
      return;
    }
    if (node.next[partition] < log_.first[partition]) {
      node.next[partition] = log_.first[partition];
      hold(node.hub->lose_records(partition, node.next[partition]));
    }
    for (int left = random_.below(6); left > 0 && node.next[partition] < log_.end(partition); --left) {
      const std::uint64_t offset = node.next[partition]++;
      const std::string& user = log_.users[partition][offset];
      const std::string text = fmt::format("{}:{}", partition, offset);
      Published published =
          node.hub->publish_record(user == "*" ? std::nullopt : std::optional<std::string_view>(user),
                                   {.type = "", .data = text}, {partition, offset}, milliseconds(random_.below(400)));
      hold(published.to_flush);
    }
  }

  /// A record that is nobody's.
  void skip(std::size_t index) {
    Node& node = nodes_[index];
    const auto partition = static_cast<std::uint32_t>(random_.below(kPartitions));
    if (!node.has_begun[partition] || node.next[partition] != log_.end(partition)) return;
    log_.users[partition].emplace_back("nobody");
    node.hub->skip_record({partition, node.next[partition]++});
  }

  void confirm(std::size_t index) {
    Node& node = nodes_[index];
    for (const std::uint32_t partition : node.hub->log()->take_suspects()) {
      hold(node.hub->confirm_end(partition, partition < kPartitions ? log_.end(partition) : 0));
    }
  }

  void connect(Client& client, std::size_t index) {
    Node& node = nodes_[index];
    Resume resume;
    const std::string id = client.last_id;
    if (random_.one_in(12)) {
      resume.from = Resume::From::kEarliest;
      for (std::uint32_t i = 0; i < kPartitions; ++i) client.lanes[i] = {.must_from = log_.end(i)};
    } else if (id.empty() || random_.one_in(12)) {
      for (std::uint32_t i = 0; i < kPartitions; ++i) client.lanes[i] = {.must_from = log_.end(i)};
    } else {
      resume = {.from = Resume::From::kId, .id = id};
    }
    client.room = random_.below(40);
    streams_.push_back(std::make_unique<LogStream>(client, index, log_, generous_));
    client.stream = streams_.back().get();
    promise(node.hub->attach(*client.stream, client.user, resume, milliseconds(10)).has_value(), "refused");
    held_.push_back(client.stream);
  }

  Hub& hub_of(const Client& client) { return *nodes_[client.stream->node].hub; }

  void disconnect(Client& client) {
    LogStream& stream = *std::exchange(client.stream, nullptr);
    stream.forget_client();
    if (nodes_[stream.node].hub->detach(stream, End::kClient)) destroy(stream);
  }

  void destroy(LogStream& stream) {
    for (const auto& client : clients_) {
      if (client->stream == &stream) client->stream = nullptr;
    }
    std::erase_if(streams_, [&](const auto& each) { return each.get() == &stream; });
  }

  void hold(FlushList list) {
    while (!list.empty()) held_.push_back(static_cast<LogStream*>(&list.pop()));
  }

  void flush_one() {
    if (held_.empty()) return;
    const auto index = static_cast<std::size_t>(random_.below(static_cast<int>(held_.size())));
    LogStream* const stream = held_[index];
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(index));
    FlushList others;
    const Flushed flushed = nodes_[stream->node].hub->flush(*stream, others);
    hold(std::move(others));
    if (flushed == Flushed::kMore) held_.push_back(stream);
    if (flushed == Flushed::kEnded) destroy(*stream);
  }

  /// The nodes read to the end, the clients too; then everybody must have everything.
  void settle() {
    for (int round = 0; round < 10'000; ++round) {
      bool quiet = held_.empty();
      for (std::size_t i = 0; i < kNodes; ++i) {
        for (std::uint32_t partition = 0; partition < kPartitions; ++partition) {
          if (nodes_[i].has_begun[partition] && nodes_[i].next[partition] == log_.end(partition)) continue;
          quiet = false;
          read(i);
        }
        confirm(i);
      }
      for (const auto& client : clients_) {
        client->room = kPlenty;
        if (client->stream == nullptr) {
          quiet = false;
          connect(*client, static_cast<std::size_t>(random_.below(kNodes)));
          client->room = kPlenty;
        } else if (hub_of(*client).writable(*client->stream)) {
          quiet = false;
          held_.push_back(client->stream);
        }
      }
      while (!held_.empty()) flush_one();
      if (quiet && held_.empty()) break;
    }
    for (const auto& client : clients_) {
      for (std::uint32_t i = 0; i < kPartitions; ++i) {
        const Client::Lane& lane = client->lanes[i];
        for (std::uint64_t offset = std::max(lane.next, lane.must_from); offset < log_.end(i); ++offset) {
          const std::string& user = log_.users[i][offset];
          promise((user != client->user && user != "*") || offset < lane.lost_until,
                  fmt::format("a client of {} lacks {}:{} at the end", client->user, i, offset));
        }
      }
    }
  }

  Random random_;
  const bool generous_;  // nothing is ever dropped, so no gap may be told
  Time now_{std::chrono::hours(1)};
  ProducedLog log_;
  std::array<Node, kNodes> nodes_;
  const Ref<Event> comment_ = Event::fixed(": x\n\n");
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<LogStream>> streams_;
  std::vector<LogStream*> held_;
};

}  // namespace

std::optional<std::string> run_log_schedule(std::uint64_t seed) {
  try {
    World(seed).run();
    return std::nullopt;
  } catch (const Broken& broken) {
    return broken.what();
  }
}

}  // namespace rillgate::hub::test
