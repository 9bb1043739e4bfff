#include "kafka/partition_group.h"

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "kafka/impl/handle.h"

namespace rillgate::kafka {
namespace {

constexpr int kPollMs = 100;
constexpr int kAnswerMs = 2'000;
/// Without a coordinator there is nobody to take leave of.
constexpr std::chrono::milliseconds kLeavePatience{3'000};
/// A commit that has to be done before the partitions are given back.
constexpr int kCommitMs = 1'000;
/// Between two looks at which topics and partitions there are; librdkafka's own pause is minutes.
constexpr const char* kLookMs = "2000";
/// Records between two turns of the workers.
constexpr int kRecordsPerTurn = 256;

/// leave() has closed it, or has waited in vain.
struct DestroyedUnclosed {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); }
};

}  // namespace

class PartitionGroup::Inside {
 public:
  Inside(const Config& config, const std::string& name) : context_{config, this} {
    Conf conf =
        make_conf(context_,
                  {{"session.timeout.ms", "6000"},
                   {"heartbeat.interval.ms", "1000"},
                   {"max.poll.interval.ms", "20000"},  // so long a change of the group waits for one that died in it
                   {"topic.metadata.refresh.interval.ms", kLookMs},
                   {"queued.max.messages.kbytes", "16384"},
                   {"partition.assignment.strategy", "roundrobin"}},
                  {{"group.id", name.c_str()},
                   {"enable.auto.commit", "false"},
                   {"enable.auto.offset.store", "false"},
                   {"enable.partition.eof", "true"},
                   {"auto.offset.reset", "earliest"}});
    rd_kafka_conf_set_rebalance_cb(conf.get(), [](rd_kafka_t* client, rd_kafka_resp_err_t what,
                                                  rd_kafka_topic_partition_list_t* list, void* opaque) {
      auto& inside = *static_cast<Inside*>(static_cast<Context*>(opaque)->owner);
      if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        inside.be_given(client, *list);
      } else {
        inside.give_back(client);
      }
    });
    client_.reset(make_client(RD_KAFKA_CONSUMER, std::move(conf)).release());
    rd_kafka_poll_set_consumer(client_.get());
  }

  void add(const std::string& topic, Worker& worker) { workers_[topic] = &worker; }

  void start() {
    const Partitions topics(rd_kafka_topic_partition_list_new(static_cast<int>(workers_.size())));
    for (const auto& [topic, worker] : workers_) {
      rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_subscribe(client_.get(), topics.get());
    thread_ = std::thread([this] { run(); });
  }

  void stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

  void read_from(const std::string& topic, Place next) {
    owned_[{topic, next.partition}] = {.next = next.offset, .is_resting = false};
    has_changed_ = true;
  }
  void rest(const std::string& topic, std::uint32_t partition) {
    owned_[{topic, partition}].is_resting = true;
    has_changed_ = true;
  }
  void commit(const std::string& topic, Place next) { to_commit_[{topic, next.partition}] = next.offset; }

 private:
  using Key = std::pair<std::string, std::uint32_t>;
  struct Owned {
    std::uint64_t next = 0;
    bool is_resting = true;
  };
  using Offsets = std::map<Key, std::uint64_t>;

  void run() {
    while (!stopping_) {
      int wait_ms = kPollMs;
      for (int i = 0; i < kRecordsPerTurn; ++i) {
        const MessageHandle message(rd_kafka_consumer_poll(client_.get(), std::exchange(wait_ms, 0)));
        if (message == nullptr) break;
        take(*message);
      }
      if (given_ != nullptr) take_over();
      for (const auto& [topic, worker] : workers_) worker->on_turn();
      if (std::exchange(has_changed_, false)) assign(client_.get());
      if (!to_commit_.empty()) commit(client_.get(), std::exchange(to_commit_, {}), kLater);
    }
    leave();
  }

  /// Gives the partitions back, if there is somebody to give them back to.
  void leave() {
    const Queue queue(rd_kafka_queue_new(client_.get()));
    const std::unique_ptr<rd_kafka_error_t, Freed<rd_kafka_error_destroy>> refused(
        rd_kafka_consumer_close_queue(client_.get(), queue.get()));
    const auto until = std::chrono::steady_clock::now() + kLeavePatience;
    while (!rd_kafka_consumer_closed(client_.get()) && std::chrono::steady_clock::now() < until) {
      rd_kafka_queue_poll_callback(queue.get(), kPollMs);
    }
  }

  void take(const rd_kafka_message_t& message) {
    if (message.rkt == nullptr || message.partition < 0) return;
    const auto partition = static_cast<std::uint32_t>(message.partition);
    const auto owned = owned_.find({rd_kafka_topic_name(message.rkt), partition});
    if (owned == owned_.end() || owned->second.is_resting) return;
    const auto worker = workers_.find(owned->first.first);
    const auto offset = static_cast<std::uint64_t>(message.offset);
    if (worker == workers_.end() || offset < owned->second.next) return;
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      owned->second.next = offset;
      worker->second->on_end({partition, offset});
    } else if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      owned->second.next = offset + 1;
      worker->second->on_record(record_of(message));
    }
  }

  /// Asks how far the new partitions have come, again and again until that is known: who went on from anywhere else
  /// would repeat or leave out work.
  void take_over() {
    if (rd_kafka_committed(client_.get(), given_.get(), kAnswerMs) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    const Partitions given = std::move(given_);
    for (int i = 0; i < given->cnt; ++i) {
      const rd_kafka_topic_partition_t& each = given->elems[i];
      const auto worker = workers_.find(each.topic);
      if (worker == workers_.end() || each.partition < 0) continue;
      const auto partition = static_cast<std::uint32_t>(each.partition);
      const auto from = worker->second->on_assigned(
          partition, each.offset < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(each.offset)));
      owned_[{each.topic, partition}] = {.next = from.value_or(0), .is_resting = !from};
    }
    has_changed_ = true;
  }

  // ---- Within a poll

  void be_given(rd_kafka_t* client, const rd_kafka_topic_partition_list_t& list) {
    given_.reset(rd_kafka_topic_partition_list_copy(&list));
    assign(client);  // of what is given, nothing is read yet
  }

  void give_back(rd_kafka_t* client) {
    given_.reset();
    Offsets offsets = std::exchange(to_commit_, {});
    for (const auto& [key, owned] : owned_) {
      if (const auto next = workers_[key.first]->on_revoked(key.second)) offsets[key] = *next;
    }
    owned_.clear();
    commit(client, offsets, kAndWait);
    rd_kafka_assign(client, nullptr);
  }

  /// Reads what does not rest, each from where it stands.
  void assign(rd_kafka_t* client) {
    const Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(owned_.size())));
    for (const auto& [key, owned] : owned_) {
      if (owned.is_resting) continue;
      rd_kafka_topic_partition_list_add(list.get(), key.first.c_str(), static_cast<std::int32_t>(key.second))->offset =
          static_cast<std::int64_t>(owned.next);
    }
    rd_kafka_assign(client, list.get());
  }

  enum class Patience : std::uint8_t { kAndWait, kLater };
  using enum Patience;
  static void commit(rd_kafka_t* client, const Offsets& offsets, Patience patience) {
    if (offsets.empty()) return;
    const Partitions list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
    for (const auto& [key, next] : offsets) {
      rd_kafka_topic_partition_list_add(list.get(), key.first.c_str(), static_cast<std::int32_t>(key.second))->offset =
          static_cast<std::int64_t>(next);
    }
    const Queue queue(rd_kafka_queue_new(client));
    rd_kafka_commit_queue(client, list.get(), queue.get(), nullptr, nullptr);
    if (patience == kLater) return;
    const std::unique_ptr<rd_kafka_event_t, Freed<rd_kafka_event_destroy>> done(
        rd_kafka_queue_poll(queue.get(), kCommitMs));
  }

  Context context_;
  std::map<std::string, Worker*> workers_;
  Partitions given_;  // by the group; not taken over yet
  std::map<Key, Owned> owned_;
  Offsets to_commit_;
  bool has_changed_ = false;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<rd_kafka_t, DestroyedUnclosed> client_;
  std::thread thread_;
};

PartitionGroup::PartitionGroup(const Config& config, const std::string& name)
    : inside_(std::make_unique<Inside>(config, name)) {}

PartitionGroup::~PartitionGroup() {
  stop();
}

void PartitionGroup::add(const std::string& topic, Worker& worker) {
  inside_->add(topic, worker);
}

void PartitionGroup::start() {
  inside_->start();
}

void PartitionGroup::stop() {
  inside_->stop();
}

void PartitionGroup::read_from(const std::string& topic, Place next) {
  inside_->read_from(topic, next);
}

void PartitionGroup::rest(const std::string& topic, std::uint32_t partition) {
  inside_->rest(topic, partition);
}

void PartitionGroup::commit(const std::string& topic, Place next) {
  inside_->commit(topic, next);
}

}  // namespace rillgate::kafka
