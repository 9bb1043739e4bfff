// Asks the cluster what a topic's reader must know, on a thread of its own, since every answer may take seconds or
// never come. A partition whose leader is gone is asked for again and again, and delays no other.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "kafka/impl/handle.h"
#include "kafka/topic_reader.h"

namespace rillgate::kafka {

class Scout {
 public:
  using Task = std::move_only_function<void()>;

  /// The reader. post() and on_status() are called by the scout's thread; what is posted runs on the reader's, and
  /// calls the others.
  class Client {
   public:
    virtual void post(Task task) = 0;
    virtual void on_status(const TopicReader::Status& status) = 0;
    virtual void on_topic(const std::string& name) = 0;
    /// Before the first beginning.
    virtual void on_partitions(std::uint32_t count) = 0;
    /// `end`: where the partition ends by now.
    virtual void on_beginning(const Beginning& beginning, std::uint64_t end) = 0;
    virtual void on_all_begun() = 0;
    virtual void on_end(Place end) = 0;
    virtual void on_found_again(Place first) = 0;

   protected:
    ~Client() = default;
  };

  /// It has connections of its own: on the reader's, an answer would wait behind each fetch that waits for records.
  Scout(Context& context, TopicReader::Options options, Client& client);
  ~Scout() { stop(); }

  void start();
  void stop();

  // Any thread.
  void check_end(std::uint32_t partition);
  /// The partition's offset `lost.offset` is gone: on_found_again() tells where to go on.
  void find_again(Place lost);
  /// The partition is read up to where the reader began.
  void note_read(std::uint32_t partition);

 private:
  using SystemTime = std::chrono::system_clock::time_point;

  void run();
  /// False: something is missing, so the next round comes soon.
  bool look_round();
  bool learn_partitions();
  bool begin_partitions(const rd_kafka_metadata_topic_t& topic);
  void note_leader(std::uint32_t partition, bool has_one);
  bool begin(std::uint32_t partition);
  bool answer_checks();
  bool answer_lost();
  [[nodiscard]] std::optional<std::uint64_t> next_of(Place lost);
  /// Whether the topic is there now.
  bool create(const std::string& topic);
  void create_missing();
  void tell_status();
  void set_unreachable(std::string reason);
  void set_reachable(std::string complaint);

  struct Ends {
    std::uint64_t low;
    std::uint64_t high;
  };
  [[nodiscard]] std::optional<Ends> ends_of(std::uint32_t partition);
  /// The first offset that is not older than `time`, or the partition's end.
  [[nodiscard]] std::optional<std::uint64_t> offset_since(std::uint32_t partition, SystemTime time, const Ends& ends);
  /// The same as the cluster answers it: -1 when there is none. `time` in ms, or RD_KAFKA_OFFSET_BEGINNING or _END.
  [[nodiscard]] std::optional<std::int64_t> offset_at(std::uint32_t partition, std::int64_t time);

  const Handle kafka_;
  const TopicReader::Options options_;
  const Topic topic_;
  Client& client_;
  const SystemTime began_;

  // The scout's own.
  std::string name_;                    // empty: the cluster is not known yet
  std::vector<bool> has_begun_;         // by partition
  std::uint32_t first_partitions_ = 0;  // how many there were when the topic was first seen
  bool all_begun_ = false;
  std::vector<std::string> to_create_;
  bool is_reachable_ = false;
  std::string refusal_;  // why the last topic could not be made
  std::string reason_ = "the cluster has not answered yet";

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> stopping_{false};
  bool is_urgent_ = false;
  bool status_changed_ = true;
  std::set<std::uint32_t> to_check_;
  std::vector<Place> lost_;
  std::set<std::uint32_t> unread_;
  std::set<std::uint32_t> leaderless_;
};

}  // namespace rillgate::kafka
