// A whole server inside a test's process: all routes with what they work with, on one reactor, as app/ wires them.
#pragma once

#include <memory>
#include <utility>

#include "api/api.h"
#include "api/operations.h"
#include "api/services.h"
#include "io/reactor.h"
#include "reports/memory/memory_store.h"
#include "sse/encode.h"

namespace rillgate::test {

class ApiWorld {
 public:
  /// `store`: null for one in memory.
  explicit ApiWorld(ops::Settings its_settings = {}, std::unique_ptr<reports::ReportStore> store = nullptr)
      : settings(std::move(its_settings)),
        budget({.queued_bytes = settings.limits.queued_bytes,
                .history_bytes = settings.history.memory,
                .streams = settings.limits.streams}),
        services{.settings = settings,
                 .log = log,
                 .metrics = metrics,
                 .readiness = readiness,
                 .budget = budget,
                 .addresses = addresses,
                 .owners = {},
                 .keep_alive = {.interval = settings.keepalive.interval,
                                .comment = hub::Event::fixed(sse::comment(settings.keepalive.text))},
                 .v1{"v1", hub_options(), budget},
                 .v2{"v2", hub_options(), budget},
                 .v3{"v3", hub_options(), budget},
                 .v4{"v4", hub_options(), budget},
                 .store = store ? std::move(store) : reports::make_memory_store({}),
                 .report_watch = {},
                 .reports = {},
                 .web = {},
                 .crowded = [] { return false; }} {
    services.owners.push_back(std::make_unique<api::StreamOwner>(reactor, 0, 64 * 1024));
    services.report_watch =
        std::make_unique<api::ReportWatch>(services.v4.hub, services.owners, *services.store, settings.reports.recheck);
    services.reports = std::make_unique<reports::ReportService>(*services.store, *services.report_watch);
    readiness.up("store");
    api = std::make_unique<api::Api>(services, api::Surface::kBoth);
    api::add_metrics(services, [] { return 0; });
  }
  /// No stream is open any more.
  ~ApiWorld() { services.store->close(); }

  const ops::Settings settings;
  ops::Logger log{ops::LogLevel::kError};
  ops::MetricsPage metrics;
  ops::Readiness readiness;
  hub::Budget budget;
  api::AddressLimits addresses{settings.limits};
  io::Reactor reactor;
  api::Services services;
  std::unique_ptr<api::Api> api;

 private:
  [[nodiscard]] hub::Hub::Options hub_options() const {
    return {.epoch = "0123456789abcdef",
            .history_size = settings.history.size,
            .history_bytes = settings.history.bytes,
            .history_ttl = settings.history.ttl,
            .stream_buffer = settings.stream.buffer,
            .streams_per_user = settings.limits.streams_per_user,
            .clock = std::chrono::steady_clock::now};
  }
};

}  // namespace rillgate::test
