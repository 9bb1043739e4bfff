#include "app/kafka_feeds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <thread>
#include <vector>

#include "api/operations.h"

namespace rillgate::app {
namespace {

using std::chrono::milliseconds;
using std::chrono_literals::operator""s;

/// What is pending when the node stops has so long to be acknowledged.
constexpr milliseconds kFlushPatience{4'000};
/// Partitions that /readyz names one by one.
constexpr std::size_t kNamedMax = 20;

void note_status(ops::Readiness& readiness, const std::string& dependency, const kafka::TopicReader::Status& status) {
  if (!status.is_reachable) {
    readiness.down(dependency, status.reason);
  } else if (status.unread.empty() && status.reason.empty()) {
    readiness.up(dependency);
  } else if (status.unread.empty()) {
    readiness.partly(dependency, status.reason);
  } else if (status.unread.size() == status.partitions) {
    readiness.down(dependency, "no partition is read yet");
  } else {
    const std::span named = std::span(status.unread).first(std::min(status.unread.size(), kNamedMax));
    readiness.partly(dependency, fmt::format("these partitions are not read yet: {}{}", fmt::join(named, ", "),
                                             status.unread.size() > kNamedMax ? ", and more" : ""));
  }
}

}  // namespace

KafkaFeeds::KafkaFeeds(api::Services& services)
    : services_(services),
      client_lines_({.lines = 10, .interval = 1s}),
      bad_record_lines_({.lines = 10, .interval = 1s}),
      config_{.brokers = services.settings.kafka.brokers,
              .properties = services.settings.kafka.properties,
              .log =
                  [this](bool is_grave, std::string_view text) {
                    services_.log.log(client_lines_, is_grave ? ops::LogLevel::kWarn : ops::LogLevel::kDebug, "kafka",
                                      {{"said", text}});
                  }},
      producer_(config_, {}),
      group_(std::make_unique<kafka::PartitionGroup>(config_, services.settings.kafka.group)) {
  const ops::Settings::Kafka& kafka = services.settings.kafka;
  services.v3_publisher = std::make_unique<feed::Publisher>(producer_, kafka.v3_topic);
  add(services.v3.hub, kafka.v3_topic, {}, kafka.create_topics);
  for (std::size_t i = 0; i < kafka.feeds.size(); ++i) {
    const ops::Settings::Kafka::Feed& feed = kafka.feeds[i];
    add(services.feeds[i]->hub, feed.topic, {.user = feed.user, .data = feed.data, .event = feed.event}, false);
  }
}

KafkaFeeds::~KafkaFeeds() {
  stop_reading();
  flush();
  group_.reset();  // it knows the workers
  services_.topic_feeds.clear();
  services_.v3_publisher.reset();
}

std::function<void(const kafka::TopicReader::Status&)> KafkaFeeds::noting_status(const std::string& topic) {
  const std::string dependency = "kafka:" + topic;
  services_.readiness.down(dependency, "the cluster has not answered yet");
  return [this, dependency](const kafka::TopicReader::Status& status) {
    note_status(services_.readiness, dependency, status);
  };
}

std::function<void(const kafka::Place&, const feed::BadRecord&)> KafkaFeeds::noting_bad_records(
    const std::string& topic) {
  return [this, topic](const kafka::Place& place, const feed::BadRecord& bad) {
    services_.log.log(
        bad_record_lines_, ops::LogLevel::kWarn, "unreadable record",
        {{"topic", topic}, {"partition", place.partition}, {"offset", place.offset}, {"reason", feed::label(bad.why)}});
  };
}

void KafkaFeeds::add(hub::Hub& hub, const std::string& topic, feed::RecordFormat format, bool creates_topic) {
  const ops::Settings& settings = services_.settings;
  format.data_bytes_max = settings.limits.body;
  services_.topic_feeds.push_back(std::make_unique<feed::TopicFeed>(
      config_,
      feed::TopicFeed::Options{.topic = topic,
                               .dead_topic = topic + settings.kafka.dead_letter_suffix,
                               .format = std::move(format),
                               .read_back = settings.history.ttl,
                               .creates_topic = creates_topic,
                               .creates_dead_topic = settings.kafka.create_topics,
                               .batch_bytes = settings.stream.buffer / 2},
      feed::TopicFeed::Outlet{.flush = api::flush_by_owners_and_wait,
                              .on_status = noting_status(topic),
                              .on_bad_record = noting_bad_records(topic)},
      hub, *group_, producer_, services_.dead_letters));
}

reports::ReportListener& KafkaFeeds::tell_reports(reports::ReportListener& watchers,
                                                  const reports::ReportStore& store) {
  const ops::Settings::Kafka& kafka = services_.settings.kafka;
  feed::ReportNews::Options options{.topic = kafka.v4_events_topic,
                                    .creates = {},
                                    .node = reports::StoreId::random().text(),
                                    .on_status = noting_status(kafka.v4_events_topic)};
  if (kafka.create_topics) {
    options.creates = {kafka.v4_updates_topic, kafka.v4_updates_topic + kafka.dead_letter_suffix};
  }
  news_ = std::make_unique<feed::ReportNews>(config_, std::move(options), watchers, store, producer_);
  services_.metrics.add(
      [this](ops::Families& families) { families.push_back(api::lag_family(news_->topic(), news_->lag())); });
  return *news_;
}

void KafkaFeeds::take_report_updates(reports::ReportService& service) {
  const ops::Settings::Kafka& kafka = services_.settings.kafka;
  updates_ = std::make_unique<feed::ReportUpdates>(
      feed::ReportUpdates::Options{
          .topic = kafka.v4_updates_topic,
          .dead_topic = kafka.v4_updates_topic + kafka.dead_letter_suffix,
          .on_store_down = [this](const reports::Unavailable& failure) { services_.note_store(&failure); },
          .on_bad_record = noting_bad_records(kafka.v4_updates_topic)},
      service, *group_, producer_, services_.dead_letters);
  group_->add(kafka.v4_updates_topic, *updates_);
}

void KafkaFeeds::start() {
  for (const auto& feed : services_.topic_feeds) feed->start();
  if (news_) news_->start();
  group_->start();
}

void KafkaFeeds::stop_reading() {
  // Each may have to wait for an answer that does not come: all at once.
  std::vector<std::jthread> stopping;
  stopping.emplace_back([this] { group_->stop(); });
  if (news_) stopping.emplace_back([this] { news_->stop(); });
  for (const auto& feed : services_.topic_feeds) stopping.emplace_back([&feed] { feed->stop(); });
}

void KafkaFeeds::flush() {
  producer_.close(kFlushPatience);
}

}  // namespace rillgate::app
