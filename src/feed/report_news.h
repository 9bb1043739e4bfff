// The news of reports, between the nodes by Kafka: what one node's store has made durable, every other node's watchers
// learn at once. A notice that is lost or late costs time and nothing else, since whoever watches counts
// (report_stream.h of the API) and the store is the truth.
//
// The same topic is for anyone else who wants to follow the reports.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "kafka/producer.h"
#include "kafka/topic_reader.h"
#include "reports/report_service.h"

namespace rillgate::feed {

/// What a record of the topic says: `{"type","userId","id","status","version","updatedAt","sequence","store","node"}`.
struct ReportNotice {
  reports::UserId user;
  reports::ReportEvent event;
  std::string store;
  std::string node;
};
[[nodiscard]] std::string notice_json(const ReportNotice& notice);
/// Nothing when `text` is none.
[[nodiscard]] std::optional<ReportNotice> parse_notice(std::string_view text);

class ReportNews final : public reports::ReportListener, private kafka::TopicReader::Listener {
 public:
  struct Options {
    std::string topic;
    std::vector<std::string> creates;  // topics that have to be there; empty: none is made
    std::string node;                  // random: whose notices need not be told here again
    std::function<void(const kafka::TopicReader::Status&)> on_status;
  };
  /// All outlive it.
  ReportNews(const kafka::Config& config, Options options, reports::ReportListener& watchers,
             const reports::ReportStore& store, kafka::Producer& producer);

  void start() { reader_.start(); }
  void stop() { reader_.stop(); }

  /// To this node's watchers, then to all others. A thread of the store.
  void on_event(const reports::UserId& user, const reports::ReportEvent& event) override;

  [[nodiscard]] const std::string& topic() const { return options_.topic; }
  [[nodiscard]] std::vector<kafka::TopicReader::Lag> lag() const { return reader_.lag(); }

 private:
  void on_topic(std::string_view) override {}
  void on_beginning(const kafka::Beginning&) override {}
  void on_all_begun() override {}
  void on_record(const kafka::Record& record) override;
  void on_passed(kafka::Place) override {}
  void on_lost(kafka::Place) override {}
  void on_end(kafka::Place) override {}
  void on_pause() override {}
  void on_status(const kafka::TopicReader::Status& status) override { options_.on_status(status); }

  const Options options_;
  reports::ReportListener& watchers_;
  const reports::ReportStore& store_;
  kafka::Producer& producer_;
  kafka::TopicReader reader_;
};

}  // namespace rillgate::feed
