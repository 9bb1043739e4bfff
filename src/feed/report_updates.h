// Changes of reports that workers ask for by Kafka: each record is judged as a PUT is, applied once, and set aside when
// it is refused.
//
// A partition's records are applied in their order wherever that matters: one user's, one after the other. While the
// store is down they wait, and so does their partition; none is refused for it. What was applied is committed
// afterwards, so a node that dies has some records delivered again, and the store knows those by their source.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "feed/dead_letters.h"
#include "kafka/partition_group.h"
#include "kafka/producer.h"
#include "reports/report_service.h"

namespace rillgate::feed {

/// What a record asks for: `{"userId":U,"id":R,"status":S}`.
[[nodiscard]] std::expected<reports::ChangeRequest, BadRecord> read_update(const kafka::Record& record,
                                                                           const std::string& topic);

class ReportUpdates final : public kafka::PartitionGroup::Worker {
 public:
  struct Options {
    std::string topic;
    std::string dead_topic;
    std::function<void(const reports::Unavailable&)> on_store_down;
    std::function<void(const kafka::Place&, const BadRecord&)> on_bad_record;
  };
  /// All outlive it; the store behind `service` is closed before it is destroyed.
  ReportUpdates(Options options, reports::ReportService& service, kafka::PartitionGroup& group,
                kafka::Producer& producer, DeadLetterCounts& counts);

 private:
  /// Records of a partition that are not settled. Past this the partition rests.
  static constexpr std::size_t kWindowMax = 256;

  enum class State : std::uint8_t {
    kWaiting,     // for its turn, or for the store
    kUnderWay,    // the store has it
    kToSetAside,  // refused; its letter is to be sent
    kSetAside,    // its letter is not acknowledged yet
    kSettled,
  };
  struct Item {
    std::uint64_t offset;
    State state = State::kWaiting;
    reports::ChangeRequest request = {};
    std::optional<std::string> key = {};
    std::optional<std::string> value = {};
    BadRecord refusal = {};
  };
  struct Lane {
    bool is_owned = false;
    std::uint64_t ownership = 0;  // counts them: what an earlier one began is no longer told here
    std::deque<Item> items = {};  // by offset
    std::uint64_t next = 0;       // to be read
    std::uint64_t committed = 0;
    bool is_resting = false;
    std::chrono::steady_clock::time_point retry_at{};
  };
  /// Where a result belongs.
  struct Ticket {
    std::uint32_t partition;
    std::uint64_t ownership;
    std::uint64_t offset;
  };
  /// What is to be done once the lock is let go.
  struct Work {
    std::vector<std::pair<Ticket, reports::ChangeRequest>> changes;
    std::vector<std::pair<Ticket, kafka::Message>> letters;
  };

  std::optional<std::uint64_t> on_assigned(std::uint32_t partition, std::optional<std::uint64_t> committed) override;
  std::optional<std::uint64_t> on_revoked(std::uint32_t partition) override;
  void on_record(const kafka::Record& record) override;
  void on_end(kafka::Place next) override;
  void on_turn() override;

  // Under the lock.
  [[nodiscard]] Work plan(std::uint32_t partition, Lane& lane);
  [[nodiscard]] Item* find(const Ticket& ticket);
  void settle_front(Lane& lane);
  [[nodiscard]] bool is_quiet(const Lane& lane) const;
  void refuse(std::uint32_t partition, Item& item, BadRecord why);

  void carry_out(Work work);
  void on_changed(const Ticket& ticket, const std::expected<reports::Change, reports::ReportError>& result);
  void on_letter(const Ticket& ticket, bool is_written);

  const Options options_;
  reports::ReportService& service_;
  kafka::PartitionGroup& group_;
  kafka::Producer& producer_;
  DeadLetterCounts& counts_;
  std::mutex mutex_;
  std::condition_variable settled_;
  std::map<std::uint32_t, Lane> lanes_;
  bool is_stuck_ = false;  // what was under way was waited for in vain
};

}  // namespace rillgate::feed
