// The Kafka side of a node: what it reads, what it writes, and what the nodes share out among themselves.
#pragma once

#include <memory>

#include "api/services.h"
#include "kafka/config.h"
#include "kafka/partition_group.h"
#include "kafka/producer.h"
#include "ops/log.h"

namespace rillgate::app {

/// Made when kafka.brokers is set. Belongs to the main thread.
class KafkaFeeds {
 public:
  /// Fills in services.v3_publisher and services.topic_feeds, for V3 and for services.feeds, whose hubs have logs.
  /// Throws std::runtime_error when librdkafka refuses the configuration.
  explicit KafkaFeeds(api::Services& services);
  ~KafkaFeeds();

  /// The reactors run.
  void start();
  /// Reads no more, and brings out what was posted. The reactors still run. Blocks for kFlushPatience at the most, and
  /// what librdkafka needs to part from its brokers.
  void stop();

 private:
  void add(hub::Hub& hub, const std::string& topic, feed::RecordFormat format, bool creates_topic);

  api::Services& services_;
  ops::RateLimit client_lines_;
  ops::RateLimit bad_record_lines_;
  const kafka::Config config_;
  kafka::Producer producer_;
  std::unique_ptr<kafka::PartitionGroup> group_;
};

}  // namespace rillgate::app
