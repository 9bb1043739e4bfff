#include "ops/impl/consistency.h"

#include <fmt/format.h>

#include <set>
#include <string_view>

namespace rillgate::ops {
namespace {

class Contradictions {
 public:
  explicit Contradictions(const Places& places) : places_(places) {}

  void add(std::string_view name, std::string what) {
    const auto place = places_.find(name);
    found_.push_back({place == places_.end() ? Place{} : place->second, std::move(what)});
  }
  std::vector<Mistake> take() { return std::move(found_); }

 private:
  const Places& places_;
  std::vector<Mistake> found_;
};

/// The kernel would say only "in use", which sends people to look for another process.
void check_listen_twice(const Settings& settings, Contradictions& found) {
  std::set<std::string> seen;
  const auto check = [&](std::string_view name, const Address& address) {
    if (address.port == 0 || seen.insert(address.text()).second) return;
    found.add(name,
              fmt::format("{} is listened on already; listen and admin.listen name each address once", address.text()));
  };
  for (const Address& address : settings.listen) check("listen", address);
  if (settings.admin.listen) check("admin.listen", *settings.admin.listen);
}

/// Only `listen` is asked: the operations routes need no token in any mode, so `admin.listen` opens nothing that a
/// token would have closed, and a Prometheus on another machine is the usual reason for it.
void check_open_to_all(const Settings& settings, Contradictions& found) {
  if (settings.insecure_no_auth) return;
  for (const Address& address : settings.listen) {
    if (address.is_loopback()) continue;
    found.add("listen",
              fmt::format("{} is no loopback address, and without authentication whoever reaches it may read and write "
                          "everything; listen on a loopback address, or accept that by --insecure-no-auth",
                          address.text()));
  }
}

void check_topics(const Settings& settings, Contradictions& found) {
  const Settings::Kafka& kafka = settings.kafka;
  if (!kafka.feeds.empty() && kafka.brokers.empty()) {
    found.add("kafka.feed", "a feed is read from Kafka; say where that is by kafka.brokers");
  }
  std::set<std::string_view> topics;
  const auto check = [&](std::string_view name, std::string_view topic) {
    if (topics.insert(topic).second) return;
    found.add(name, fmt::format("the topic {} is read already; each topic is read for one purpose", topic));
  };
  check("kafka.v3-topic", kafka.v3_topic);
  check("kafka.v4-updates-topic", kafka.v4_updates_topic);
  check("kafka.v4-events-topic", kafka.v4_events_topic);
  for (const Settings::Kafka::Feed& feed : kafka.feeds) check("kafka.feed", feed.topic);
}

}  // namespace

std::vector<Mistake> contradictions(const Settings& settings, const Places& places) {
  Contradictions found(places);
  if (settings.listen.empty()) found.add("listen", "listen names no address; it takes at least one IP:PORT");
  check_listen_twice(settings, found);
  check_open_to_all(settings, found);
  check_topics(settings, found);
  return found.take();
}

std::vector<std::string> doubts(const Settings& settings) {
  std::vector<std::string> found;
  const auto expect = [&found](bool is_fine, std::string doubt) {
    if (!is_fine) found.push_back(std::move(doubt));
  };
  expect(settings.history.bytes / 2 >= settings.stream.buffer,
         fmt::format("history.bytes ({} bytes) is below twice stream.buffer ({} bytes): a reader that is cut for being "
                     "slow may find a gap when it returns",
                     settings.history.bytes, settings.stream.buffer));
  expect(
      settings.history.memory >= settings.history.bytes,
      fmt::format("history.memory ({} bytes, all users) is below history.bytes ({} bytes, one user): no user can keep "
                  "that much",
                  settings.history.memory, settings.history.bytes));
  expect(settings.stream.buffer >= settings.limits.body,
         fmt::format("stream.buffer ({} bytes) is below limits.body ({} bytes): one large message may end each stream "
                     "that it is sent to",
                     settings.stream.buffer, settings.limits.body));
  expect(settings.limits.queued_bytes >= settings.stream.buffer,
         fmt::format("limits.queued-bytes ({} bytes, all streams) is below stream.buffer ({} bytes, one stream): no "
                     "stream can have that much waiting",
                     settings.limits.queued_bytes, settings.stream.buffer));
  return found;
}

}  // namespace rillgate::ops
