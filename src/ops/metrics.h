// The page /metrics: each room keeps its own counters and hands in a function that turns them into Prometheus families
// when the page is asked for, so nobody pays for metrics on the way of an event.
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <functional>
#include <string>
#include <vector>

#include "base/counter.h"

namespace rillgate::ops {

using Families = std::vector<prometheus::MetricFamily>;
using Labels = std::vector<prometheus::ClientMetric::Label>;

struct Sample {
  double value;
  Labels labels = {};
};
struct Durations {
  DurationHistogram::Snapshot snapshot;
  Labels labels = {};
};

/// `name` ends with `_total`.
[[nodiscard]] prometheus::MetricFamily counter_family(std::string name, std::string help, std::vector<Sample> samples);
[[nodiscard]] prometheus::MetricFamily gauge_family(std::string name, std::string help, std::vector<Sample> samples);
/// In seconds; `name` ends with `_seconds`.
[[nodiscard]] prometheus::MetricFamily duration_family(std::string name, std::string help,
                                                       const std::vector<Durations>& durations);

class MetricsPage {
 public:
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

  /// `collect` appends families; it is called from any thread, also from several at once, and what it reads outlives
  /// the page. All add() come before the first render().
  void add(std::function<void(Families&)> collect) { collectors_.push_back(std::move(collect)); }

  /// The text format, version 0.0.4. Families of one name that several collectors gave become one, as the format asks.
  [[nodiscard]] std::string render() const;

 private:
  std::vector<std::function<void(Families&)>> collectors_;
};

/// A collector: the metrics that each Prometheus client has of its process (CPU, memory, descriptors, threads, start).
/// What the kernel does not tell is left out.
void collect_process(Families& families);

}  // namespace rillgate::ops
