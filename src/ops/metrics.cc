#include "ops/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

namespace rillgate::ops {
namespace {

prometheus::MetricFamily family(std::string name, std::string help, prometheus::MetricType type) {
  return {.name = std::move(name), .help = std::move(help), .type = type, .metric = {}};
}

Families merged_by_name(Families families) {
  Families merged;
  std::unordered_map<std::string, std::size_t> index_of;
  for (prometheus::MetricFamily& family : families) {
    const auto [at, is_new] = index_of.try_emplace(family.name, merged.size());
    if (is_new) {
      merged.push_back(std::move(family));
    } else {
      std::ranges::move(family.metric, std::back_inserter(merged[at->second].metric));
    }
  }
  return merged;
}

}  // namespace

prometheus::MetricFamily counter_family(std::string name, std::string help, std::vector<Sample> samples) {
  auto result = family(std::move(name), std::move(help), prometheus::MetricType::Counter);
  for (Sample& sample : samples) {
    auto& metric = result.metric.emplace_back();
    metric.label = std::move(sample.labels);
    metric.counter.value = sample.value;
  }
  return result;
}

prometheus::MetricFamily gauge_family(std::string name, std::string help, std::vector<Sample> samples) {
  auto result = family(std::move(name), std::move(help), prometheus::MetricType::Gauge);
  for (Sample& sample : samples) {
    auto& metric = result.metric.emplace_back();
    metric.label = std::move(sample.labels);
    metric.gauge.value = sample.value;
  }
  return result;
}

prometheus::MetricFamily duration_family(std::string name, std::string help, const std::vector<Durations>& durations) {
  auto result = family(std::move(name), std::move(help), prometheus::MetricType::Histogram);
  for (const Durations& entry : durations) {
    auto& metric = result.metric.emplace_back();
    metric.label = entry.labels;
    metric.histogram.sample_count = entry.snapshot.count;
    metric.histogram.sample_sum = entry.snapshot.sum_seconds;
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < DurationHistogram::kBuckets; ++i) {
      cumulative += entry.snapshot.buckets[i];
      // The serializer adds the bucket without a bound from sample_count.
      metric.histogram.bucket.push_back({cumulative, DurationHistogram::upper_bound_seconds(i)});
    }
  }
  return result;
}

std::string MetricsPage::render() const {
  Families families;
  for (const auto& collect : collectors_) collect(families);
  return prometheus::TextSerializer().Serialize(merged_by_name(std::move(families)));
}

}  // namespace rillgate::ops
