// A topic's records on their way to the streams of a hub: one reader, one hub, and the dead letters of what is no
// event.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "feed/dead_letters.h"
#include "feed/record_format.h"
#include "hub/hub.h"
#include "kafka/topic_reader.h"

namespace rillgate::feed {

class TopicFeed final : private kafka::TopicReader::Listener {
 public:
  struct Options {
    std::string topic;
    std::string dead_topic;
    RecordFormat format;
    std::chrono::milliseconds read_back;  // how old the records may be that a starting node reads
    bool creates_topic;
    bool creates_dead_topic;
    std::uint64_t batch_bytes;  // for streams, before they are to have a chance of writing them
  };
  /// What the feed tells, each on a thread of its own: must not block for long.
  struct Outlet {
    /// Lets the streams write, and returns when each has had the chance: so a burst in the topic is no burst in the
    /// queue of a stream whose reader keeps up.
    std::function<void(hub::FlushList)> flush;
    std::function<void(const kafka::TopicReader::Status&)> on_status;
    std::function<void(const kafka::Place&, const BadRecord&)> on_bad_record;
  };
  /// The rest outlives it. `hub` has a log.
  TopicFeed(const kafka::Config& config, const Options& options, Outlet outlet, hub::Hub& hub,
            kafka::PartitionGroup& group, kafka::Producer& producer, DeadLetterCounts& counts);

  void start() { reader_.start(); }
  void stop() { reader_.stop(); }

  [[nodiscard]] const std::string& topic() const { return topic_; }
  [[nodiscard]] std::vector<kafka::TopicReader::Lag> lag() const { return reader_.lag(); }

 private:
  void on_topic(std::string_view name) override;
  void on_beginning(const kafka::Beginning& beginning) override;
  void on_all_begun() override { hub_.log()->complete(); }
  void on_record(const kafka::Record& record) override;
  void on_passed(kafka::Place next) override;
  void on_lost(kafka::Place first) override;
  void on_end(kafka::Place end) override;
  void on_pause() override;
  void on_status(const kafka::TopicReader::Status& status) override { outlet_.on_status(status); }

  void add(hub::FlushList streams, std::uint64_t bytes = 0);
  void flush();

  const std::string topic_;
  const std::uint64_t batch_bytes_;
  const Outlet outlet_;
  hub::Hub& hub_;
  RecordParser parser_;
  DeadLetters dead_letters_;
  hub::FlushList to_flush_;
  std::uint64_t to_flush_bytes_ = 0;
  std::vector<std::uint64_t> next_;  // by partition
  kafka::TopicReader reader_;
};

}  // namespace rillgate::feed
