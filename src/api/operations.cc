#include "api/operations.h"

namespace rillgate::api {
namespace {

std::string_view label(hub::End end) {
  switch (end) {
    case hub::End::kNone:
      break;
    case hub::End::kClient:
      return "client";
    case hub::End::kSlowConsumer:
      return "slow_consumer";
    case hub::End::kDrain:
      return "drain";
  }
  return {};
}

double number(std::uint64_t value) {
  return static_cast<double>(value);
}

}  // namespace

void health(http::Exchange& exchange) {
  exchange.respond({.content_type = http::kJson, .body = "{\"status\":\"ok\"}\n"});
}

void readiness(Services& services, http::Exchange& exchange) {
  ops::Readiness::Report report = services.readiness.report();
  exchange.respond(
      {.status = report.is_ready ? 200 : 503, .content_type = http::kJson, .body = std::move(report.json)});
}

void metrics(Services& services, http::Exchange& exchange) {
  exchange.respond({.content_type = ops::MetricsPage::kContentType, .body = services.metrics.render()});
}

prometheus::MetricFamily lag_family(const std::string& topic, const std::vector<kafka::TopicReader::Lag>& lags) {
  std::vector<ops::Sample> samples;
  for (const auto& [partition, records] : lags) {
    samples.push_back({number(records), {{"topic", topic}, {"partition", std::to_string(partition)}}});
  }
  return ops::gauge_family("rillgate_kafka_lag", "Records of a partition that are not read yet.", std::move(samples));
}

void add_metrics(Services& services, const std::function<std::uint64_t()>& connections) {
  services.metrics.add(ops::collect_process);
  services.metrics.add([&services, connections](ops::Families& families) {
    std::vector<ops::Sample> streams, users, in, out, bytes, gaps, ends;
    std::vector<ops::Durations> delivery;
    for (Namespace* space : services.namespaces()) {
      const ops::Labels version{{"version", space->version}};
      const hub::Hub::Stats stats = space->hub.stats();
      const hub::Counters& counters = space->hub.counters();
      streams.push_back({number(stats.streams), version});
      users.push_back({number(stats.users), version});
      in.push_back({number(counters.events_in.value()), version});
      out.push_back({number(counters.events_out.value()), version});
      bytes.push_back({number(counters.bytes_out.value()), version});
      gaps.push_back({number(counters.gaps.value()), version});
      for (const hub::End end : {hub::End::kClient, hub::End::kSlowConsumer, hub::End::kDrain}) {
        ends.push_back({number(counters.ends[static_cast<std::size_t>(end)].value()),
                        {{"version", space->version}, {"reason", std::string(label(end))}}});
      }
      delivery.push_back({counters.delivery.snapshot(), version});
    }
    families.push_back(ops::gauge_family("rillgate_streams", "Open streams.", std::move(streams)));
    families.push_back(
        ops::gauge_family("rillgate_users", "Users with an open stream or kept events.", std::move(users)));
    families.push_back(
        ops::gauge_family("rillgate_connections", "Open connections, streams included.", {{number(connections())}}));
    families.push_back(ops::counter_family("rillgate_events_in_total", "Events published.", std::move(in)));
    families.push_back(ops::counter_family("rillgate_events_out_total", "Events written to streams.", std::move(out)));
    families.push_back(ops::counter_family("rillgate_bytes_out_total", "Bytes written to streams.", std::move(bytes)));
    families.push_back(ops::gauge_family("rillgate_queued_bytes",
                                         "Bytes that wait for readers whose connection is full.",
                                         {{number(services.budget.queued_bytes())}}));
    families.push_back(ops::gauge_family("rillgate_history_bytes", "Memory of kept events.",
                                         {{number(services.budget.history_bytes())}}));
    families.push_back(ops::counter_family("rillgate_stream_gaps_total", "Gaps told to streams.", std::move(gaps)));
    families.push_back(
        ops::counter_family("rillgate_stream_ends_total", "Streams that ended, by reason.", std::move(ends)));
    std::vector<ops::Sample> dead;
    for (std::size_t i = 0; i < feed::kUnreadables; ++i) {
      const auto why = static_cast<feed::Unreadable>(i);
      if (const std::uint64_t count = services.dead_letters.of(why)) {
        dead.push_back({number(count), {{"reason", std::string(feed::label(why))}}});
      }
    }
    families.push_back(lag_family({}, {}));  // its name is there without Kafka, too
    for (const auto& feed : services.topic_feeds) families.push_back(lag_family(feed->topic(), feed->lag()));
    families.push_back(ops::counter_family("rillgate_dead_letters_total",
                                           "Unreadable records copied to a dead-letter topic, by reason.",
                                           std::move(dead)));
    families.push_back(ops::duration_family("rillgate_store_seconds", "Time of an operation on the report store.",
                                            {{services.store_seconds.snapshot()}}));
    families.push_back(
        ops::duration_family("rillgate_delivery_seconds",
                             "From publishing an event (of Kafka: the record's timestamp) to writing it.", delivery));
  });
}

}  // namespace rillgate::api
