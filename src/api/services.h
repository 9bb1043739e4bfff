// What the routes work with; app/ makes and owns all of it.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/address_limits.h"
#include "api/event_stream.h"
#include "http/server.h"
#include "hub/hub.h"
#include "ops/log.h"
#include "ops/metrics.h"
#include "ops/readiness.h"
#include "ops/settings.h"

namespace rillgate::api {

/// One version of the API that has streams of users.
struct Namespace {
  std::string version;  // "v2": the first part of its paths, and the label in the metrics
  hub::Hub hub;

  Namespace(std::string name, hub::Hub::Options options, hub::Budget& budget)
      : version(std::move(name)), hub(std::move(options), budget) {}
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
  std::atomic<bool> refuses_streams{false};  // the node is draining
  std::atomic<bool> refuses_posts{false};    // ... and its streams have ended
  std::function<bool()> crowded;             // descriptors are running out

  [[nodiscard]] std::array<Namespace*, 3> namespaces() { return {&v1, &v2, &v3}; }
  [[nodiscard]] StreamOwner& owner_on(const io::Reactor& reactor) const;
};

}  // namespace rillgate::api
