// Copies what can't be read of one topic to its dead-letter topic: once, however many nodes read the topic.
//
// Each partition is in the custody of one node (kafka::PartitionGroup). That node copies what its own reader finds;
// what lies between the point that the last owner had come to and the point at which its reader was when it took over,
// it reads once more. Where it has come to is committed after the letters before it were acknowledged, so a node that
// dies makes a second copy possible and a missing one impossible.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/counter.h"
#include "feed/record_format.h"
#include "kafka/partition_group.h"
#include "kafka/producer.h"

namespace rillgate::feed {

/// How many letters were written, by reason. Any thread.
class DeadLetterCounts {
 public:
  void add(Unreadable why) { counts_[static_cast<std::size_t>(why)].add(); }
  [[nodiscard]] std::uint64_t of(Unreadable why) const { return counts_[static_cast<std::size_t>(why)].value(); }

 private:
  std::array<Counter, kUnreadables> counts_;
};

/// The letter for a record: its key, its value up to 64 KiB, and headers that say whence and why.
[[nodiscard]] kafka::Message dead_letter(const std::string& to, const std::string& topic, const kafka::Record& record,
                                         const std::string& what);

class DeadLetters final : public kafka::PartitionGroup::Worker {
 public:
  /// Why a record can't be read, asked again by the group's thread; nothing when it can.
  using Examine = std::move_only_function<std::optional<BadRecord>(const kafka::Record&)>;

  struct Options {
    std::string topic;
    std::string dead_topic;
  };
  /// All outlive it.
  DeadLetters(Options options, Examine examine, kafka::PartitionGroup& group, kafka::Producer& producer,
              DeadLetterCounts& counts);

  // ---- What the topic's reader tells, on its thread.

  void on_beginning(std::uint32_t partition, std::uint64_t first);
  /// After all records before it were told.
  void on_bad_record(const kafka::Record& record, const BadRecord& bad);
  /// The reader has come to `next`, between two records.
  void on_read(kafka::Place next);

 private:
  /// Letters that wait for the cluster, and their bytes. Past this the records are left for later, and read once more
  /// then.
  static constexpr std::size_t kPendingMax = 10'000;
  static constexpr std::size_t kPendingBytesMax = 16 << 20;

  struct Lane {
    std::optional<std::uint64_t> first;  // where this node's reader began
    std::uint64_t read = 0;              // and where it is
    bool is_owned = false;
    std::uint64_t examined = 0;               // from where the owner has to look
    bool is_examined_known = false;           // false: the last owner had come nowhere, so from `first` on
    std::optional<std::uint64_t> takes_from;  // what the reader finds from here on is copied at once
    bool is_reading = false;                  // up to there, the group reads once more
    std::optional<std::uint64_t> left_from;   // from here on what the reader found had no room, and is left for later
    std::size_t pending = 0;                  // letters that are not acknowledged
    std::uint64_t committed = 0;
  };
  struct Letter {
    std::uint32_t partition;
    Unreadable why;
    kafka::Message message;
  };

  std::optional<std::uint64_t> on_assigned(std::uint32_t partition, std::optional<std::uint64_t> committed) override;
  std::optional<std::uint64_t> on_revoked(std::uint32_t partition) override;
  void on_record(const kafka::Record& record) override;
  void on_end(kafka::Place next) override;
  void on_turn() override;

  Lane& lane(std::uint32_t partition);
  /// Where the next owner would have to go on; nothing while letters are pending.
  [[nodiscard]] static std::optional<std::uint64_t> progress(const Lane& lane);
  [[nodiscard]] bool has_room() const { return pending_ < kPendingMax / 2 && pending_bytes_ < kPendingBytesMax / 2; }
  /// False: no room.
  bool keep(const kafka::Record& record, const BadRecord& bad, Lane& lane);
  void send(Letter letter);
  void catch_up(std::uint32_t partition, Lane& lane);
  void finish_catching_up(kafka::Place next);
  static void be_up_to_date(Lane& lane);

  const Options options_;
  Examine examine_;
  kafka::PartitionGroup& group_;
  kafka::Producer& producer_;
  DeadLetterCounts& counts_;
  std::mutex mutex_;
  std::condition_variable acknowledged_;
  std::deque<Lane> lanes_;
  std::size_t pending_ = 0;
  std::size_t pending_bytes_ = 0;
  bool is_stuck_ = false;        // letters were waited for in vain
  std::vector<Letter> to_send_;  // new ones, and those that failed
  std::chrono::steady_clock::time_point commit_at_{};
};

}  // namespace rillgate::feed
