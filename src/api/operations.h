// What operators and their machines ask: is it alive, is it ready, what does it do.
#pragma once

#include "api/services.h"
#include "http/exchange.h"

namespace rillgate::api {

/// GET /healthz: 200 while the process lives.
void health(http::Exchange& exchange);
/// GET /readyz: 200, or 503 when a dependency is down or the node is draining.
void readiness(Services& services, http::Exchange& exchange);
/// GET /metrics: Prometheus text.
void metrics(Services& services, http::Exchange& exchange);

/// How far the reader of a topic is behind.
[[nodiscard]] prometheus::MetricFamily lag_family(const std::string& topic,
                                                  const std::vector<kafka::TopicReader::Lag>& lags);

/// Adds what hubs and servers count to the page.
void add_metrics(Services& services, const std::function<std::uint64_t()>& connections);

}  // namespace rillgate::api
