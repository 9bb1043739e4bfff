// The Kafka side of a node: what it reads, what it writes, and what the nodes share out among themselves.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/services.h"
#include "feed/report_news.h"
#include "feed/report_updates.h"
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

  /// What the report service is to tell of changes: `watchers`, and the other nodes. Before start(), as are the others.
  [[nodiscard]] reports::ReportListener& tell_reports(reports::ReportListener& watchers,
                                                      const reports::ReportStore& store);
  void take_report_updates(reports::ReportService& service);

  /// The reactors run.
  void start();
  /// Takes no more records. The reactors still run. Blocks for as long as librdkafka needs to part from its brokers.
  void stop_reading();
  /// Brings out what was posted, and what the store still announced. Blocks for kFlushPatience at the most.
  void flush();

 private:
  [[nodiscard]] std::function<void(const kafka::TopicReader::Status&)> noting_status(const std::string& topic);
  [[nodiscard]] std::function<void(const kafka::Place&, const feed::BadRecord&)> noting_bad_records(
      const std::string& topic);
  void add(hub::Hub& hub, const std::string& topic, feed::RecordFormat format, bool creates_topic);

  api::Services& services_;
  ops::RateLimit client_lines_;
  ops::RateLimit bad_record_lines_;
  const kafka::Config config_;
  kafka::Producer producer_;
  std::unique_ptr<kafka::PartitionGroup> group_;
  std::unique_ptr<feed::ReportNews> news_;
  std::unique_ptr<feed::ReportUpdates> updates_;
};

}  // namespace rillgate::app
