// What the routes work with; app/ makes and owns all of it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/address_limits.h"
#include "api/event_stream.h"
#include "api/report_stream.h"
#include "api/web.h"
#include "feed/publisher.h"
#include "feed/topic_feed.h"
#include "http/server.h"
#include "hub/hub.h"
#include "ops/log.h"
#include "ops/metrics.h"
#include "ops/readiness.h"
#include "ops/settings.h"
#include "reports/report_service.h"

namespace rillgate::api {

/// One version of the API that has streams of users, or one feed.
struct Namespace {
  std::string version;  // "v2", "feeds/orders": the first part of its paths, and the label in the metrics
  hub::Hub hub;

  Namespace(std::string name, hub::Hub::Options options, hub::Budget& budget, std::unique_ptr<hub::Log> log = nullptr)
      : version(std::move(name)), hub(std::move(options), budget, std::move(log)) {}
};

struct Services {
  const ops::Settings& settings;
  ops::Logger& log;
  ops::MetricsPage& metrics;
  ops::Readiness& readiness;
  hub::Budget& budget;
  AddressLimits& addresses;
  std::vector<std::unique_ptr<StreamOwner>> owners;  // one for each reactor
  UserStream::KeepAlive keep_alive;
  Namespace v1;
  Namespace v2;
  Namespace v3;
  Namespace v4;
  std::vector<std::unique_ptr<Namespace>> feeds{};
  std::unique_ptr<feed::Publisher> v3_publisher{};  // null: V3 stays inside the process
  std::vector<std::unique_ptr<feed::TopicFeed>> topic_feeds{};
  feed::DeadLetterCounts dead_letters{};
  std::unique_ptr<reports::ReportStore> store;  // these three from Node::start on
  std::unique_ptr<ReportWatch> report_watch;
  std::unique_ptr<reports::ReportService> reports;
  std::unique_ptr<WebFiles> web;  // null: there is no front end
  DurationHistogram store_seconds{};
  std::atomic<bool> store_is_down{false};
  std::atomic<bool> refuses_streams{false};  // the node is draining
  std::atomic<bool> refuses_posts{false};    // ... and its streams have ended
  std::function<bool()> crowded;             // descriptors are running out

  [[nodiscard]] std::vector<Namespace*> namespaces();
  /// What an operation on the store tells of its health. Any thread.
  void note_store(const reports::Unavailable* failure);
  [[nodiscard]] StreamOwner& owner_on(const io::Reactor& reactor) const;
};

}  // namespace rillgate::api
