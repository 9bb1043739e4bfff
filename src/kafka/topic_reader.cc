#include "kafka/topic_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "kafka/impl/scout.h"

namespace rillgate::kafka {
namespace {

using std::chrono::milliseconds;

/// Records taken from librdkafka with one call.
constexpr std::size_t kBatchRecords = 512;
/// What may wait to be handed over, in all and at least of each partition.
constexpr std::uint32_t kQueuedKib = 96 << 10;
constexpr std::uint32_t kQueuedKibMin = 1 << 10;
/// How long the reader waits for a record before it looks round.
constexpr int kWaitMs = 100;

}  // namespace

class TopicReader::Inside final : private Scout::Client {
 public:
  Inside(const Config& config, Options options, Listener& listener)
      : context_{config, this},
        listener_(listener),
        topic_name_(options.topic),
        scout_(context_, std::move(options), *this) {}

  void start() {
    reader_ = std::thread([this] { read(); });
    scout_.start();
  }

  void stop() {
    scout_.stop();
    stopping_ = true;
    if (!reader_.joinable()) return;
    reader_.join();
    for (std::uint32_t i = 0; i < lanes_.size(); ++i) {
      if (lanes_[i].is_started) rd_kafka_consume_stop(topic_.get(), static_cast<std::int32_t>(i));
    }
  }

  void check_end(std::uint32_t partition) { scout_.check_end(partition); }

  std::vector<Lag> lag() const {
    std::vector<Lag> result;
    const std::lock_guard lock(lanes_mutex_);
    for (std::uint32_t i = 0; i < lanes_.size(); ++i) {
      if (!lanes_[i].is_started) continue;
      std::int64_t low = 0;
      std::int64_t high = 0;
      rd_kafka_get_watermark_offsets(client_.get(), topic_name_.c_str(), static_cast<std::int32_t>(i), &low, &high);
      const std::uint64_t next = lanes_[i].next;
      const std::uint64_t end = std::max(lanes_[i].end, high > 0 ? static_cast<std::uint64_t>(high) : 0);
      result.push_back({.partition = i, .records = end > next ? end - next : 0});
    }
    return result;
  }

 private:
  struct Lane {
    bool is_started = false;
    bool is_lost = false;         // its next offset is gone, and the scout looks for another
    std::uint64_t next = 0;       // written by the reader under the mutex, for lag()
    std::uint64_t end = 0;        // as it was at the beginning
    std::uint64_t live_from = 0;  // it is read once it has come here
  };

  void read() {
    std::array<rd_kafka_message_t*, kBatchRecords> batch;
    std::chrono::steady_clock::time_point pause_at{};
    while (!stopping_) {
      run_tasks();
      ssize_t count = take_batch(0, batch);
      const auto now = std::chrono::steady_clock::now();
      if (count <= 0 || now >= pause_at) {
        listener_.on_pause();
        pause_at = now + milliseconds(kWaitMs);
      }
      if (count <= 0) {
        // One record ends the wait; more would be waited for until the time is up.
        count = take_batch(kWaitMs, std::span(batch).first(1));
      }
      for (ssize_t i = 0; i < count; ++i) take(MessageHandle(batch[static_cast<std::size_t>(i)]));
    }
  }

  ssize_t take_batch(int wait_ms, std::span<rd_kafka_message_t*> batch) {
    if (queue_ != nullptr) return rd_kafka_consume_batch_queue(queue_.get(), wait_ms, batch.data(), batch.size());
    std::unique_lock lock(tasks_mutex_);
    has_tasks_.wait_for(lock, milliseconds(wait_ms), [this] { return !tasks_.empty() || stopping_; });
    return 0;
  }

  void run_tasks() {
    std::vector<Scout::Task> tasks;
    {
      const std::lock_guard lock(tasks_mutex_);
      tasks.swap(tasks_);
    }
    for (Scout::Task& task : tasks) task();
  }

  void take(MessageHandle message) {
    if (message->partition < 0) return;
    const auto partition = static_cast<std::uint32_t>(message->partition);
    if (partition >= lanes_.size() || !lanes_[partition].is_started || lanes_[partition].is_lost) return;
    Lane& lane = lanes_[partition];
    const auto offset = static_cast<std::uint64_t>(message->offset);
    switch (message->err) {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        if (offset < lane.next) return;
        listener_.on_record(record_of(*message));
        advance(lane, offset + 1);
        return;
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (offset > lane.next) {
          listener_.on_passed({partition, offset});
          advance(lane, offset);
        }
        return;
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        lane.is_lost = true;
        rd_kafka_consume_stop(topic_.get(), message->partition);
        scout_.find_again({partition, lane.next});
        return;
      default:
        return;  // librdkafka goes on trying
    }
  }

  void advance(Lane& lane, std::uint64_t next) {
    const bool is_read = lane.next < lane.live_from && next >= lane.live_from;
    {
      const std::lock_guard lock(lanes_mutex_);
      lane.next = next;
    }
    if (is_read) scout_.note_read(static_cast<std::uint32_t>(&lane - lanes_.data()));
  }

  // ---- What the scout found, on its thread

  void post(Scout::Task task) override {
    const std::lock_guard lock(tasks_mutex_);
    tasks_.push_back(std::move(task));
    has_tasks_.notify_one();
  }
  void on_status(const Status& status) override { listener_.on_status(status); }

  // ---- And on the reader's

  void on_topic(const std::string& name) override { listener_.on_topic(name); }
  void on_all_begun() override { listener_.on_all_begun(); }
  void on_partitions(std::uint32_t count) override {
    // librdkafka bounds each partition by itself, and looks only once a second whether one that was full has room
    // again: so all together get what keeps the reader busy for a second.
    const std::string kib = fmt::format("{}", std::max(kQueuedKib / count, kQueuedKibMin));
    client_ = make_client(RD_KAFKA_CONSUMER, make_conf(context_,
                                                       {{"queued.max.messages.kbytes", kib.c_str()},
                                                        {"queued.min.messages", "1000000"},
                                                        {"fetch.error.backoff.ms", "100"},
                                                        {"allow.auto.create.topics", "false"}},
                                                       {{"enable.auto.commit", "false"},
                                                        {"enable.auto.offset.store", "false"},
                                                        {"enable.partition.eof", "true"},
                                                        {"auto.offset.reset", "error"}}));
    topic_ = Topic(rd_kafka_topic_new(client_.get(), topic_name_.c_str(), nullptr));
    queue_ = Queue(rd_kafka_queue_new(client_.get()));
  }
  void on_end(Place end) override { listener_.on_end(end); }

  void on_beginning(const Beginning& beginning, std::uint64_t end) override {
    {
      const std::lock_guard lock(lanes_mutex_);
      if (beginning.partition >= lanes_.size()) lanes_.resize(beginning.partition + 1);
      lanes_[beginning.partition] = {
          .is_started = true, .next = beginning.first, .end = end, .live_from = beginning.live_from};
    }
    listener_.on_beginning(beginning);
    if (beginning.first >= beginning.live_from) scout_.note_read(beginning.partition);
    fetch(beginning.partition);
  }

  void on_found_again(Place first) override {
    Lane& lane = lanes_[first.partition];
    lane.is_lost = false;
    if (first.offset != lane.next) {
      listener_.on_lost(first);
      if (first.offset < lane.next) lane.live_from = lane.end = 0;
      advance(lane, first.offset);
    }
    fetch(first.partition);
  }

  void fetch(std::uint32_t partition) {
    rd_kafka_consume_start_queue(topic_.get(), static_cast<std::int32_t>(partition),
                                 static_cast<std::int64_t>(lanes_[partition].next), queue_.get());
  }

  Context context_;
  Listener& listener_;
  const std::string topic_name_;
  Handle client_;  // these three once the partitions are known
  Topic topic_;
  Queue queue_;
  Scout scout_;
  std::thread reader_;
  std::atomic<bool> stopping_{false};
  std::mutex tasks_mutex_;
  std::condition_variable has_tasks_;
  std::vector<Scout::Task> tasks_;
  mutable std::mutex lanes_mutex_;
  std::vector<Lane> lanes_;  // changed by the reader alone
};

TopicReader::TopicReader(const Config& config, Options options, Listener& listener)
    : inside_(std::make_unique<Inside>(config, std::move(options), listener)) {}

TopicReader::~TopicReader() {
  stop();
}

void TopicReader::start() {
  inside_->start();
}

void TopicReader::stop() {
  inside_->stop();
}

void TopicReader::check_end(std::uint32_t partition) {
  inside_->check_end(partition);
}

std::vector<TopicReader::Lag> TopicReader::lag() const {
  return inside_->lag();
}

}  // namespace rillgate::kafka
