#include "app/node.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <latch>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "api/api.h"
#include "api/open_stream.h"
#include "api/operations.h"
#include "api/services.h"
#include "app/kafka_feeds.h"
#include "reports/dynamodb/dynamodb_store.h"
#include "reports/memory/memory_store.h"
#include "reports/sqlite/sqlite_store.h"
#include "sse/encode.h"

namespace rillgate::app {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSweepPeriod{500};
/// Ended streams after which the allocator is asked to give memory back to the system.
constexpr std::uint64_t kTrimAfterEnds = 1'000;

/// New at each start: 64 random bits.
std::string make_epoch() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

hub::Hub::Options hub_options(const ops::Settings& settings, const std::string& epoch) {
  const std::uint64_t per_user = settings.limits.streams_per_user;
  return {.epoch = epoch,
          .history_size = settings.history.size,
          .history_bytes = settings.history.bytes,
          .history_ttl = settings.history.ttl,
          .stream_buffer = settings.stream.buffer,
          .streams_per_user = per_user == 0 ? UINT64_MAX : per_user,
          .clock = std::chrono::steady_clock::now};
}

/// Drops what is too old, again and again; memory of many ended streams goes back to the system.
class Sweeper final : public io::Timer {
 public:
  Sweeper(api::Services& services, io::Reactor& reactor) : services_(services), reactor_(reactor) {}
  void start() {
    const bool was_reached = services_.store->id() != nullptr;
    if (!was_reached && !is_asking_.exchange(true)) ask_store();
    reactor_.start(*this, reactor_.now() + kSweepPeriod);
  }

 private:
  void on_time(io::Time) override {
    std::uint64_t ends = 0;
    for (api::Namespace* space : services_.namespaces()) {
      space->hub.sweep();
      for (const Counter& counter : space->hub.counters().ends) ends += counter.value();
    }
    if (ends - trimmed_at_ >= kTrimAfterEnds && ends == ends_before_) {  // the crowd has gone
      trimmed_at_ = ends;
      ::malloc_trim(0);
    }
    ends_before_ = ends;
    if (services_.store_is_down && !is_asking_.exchange(true)) ask_store();
    reactor_.start(*this, reactor_.now() + kSweepPeriod);
  }

  /// While the store is down nobody may be sent here who would find it up again.
  void ask_store() {
    services_.store->probe([this](auto probed) {
      is_asking_ = false;
      services_.note_store(probed ? nullptr : std::get_if<reports::Unavailable>(&probed.error()));
    });
  }

  api::Services& services_;
  io::Reactor& reactor_;
  std::uint64_t ends_before_ = 0;
  std::uint64_t trimmed_at_ = 0;
  std::atomic<bool> is_asking_{false};  // a store that is away takes its time to say so
};

/// Where the front end lies: beside an installed program, or in the tree that this one was built in.
std::filesystem::path built_front_end() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* const place : {"../share/rillgate/web", "../../server_sent_events_frontend/dist"}) {
    if (std::filesystem::exists(program / place / "index.html", error)) return program / place;
  }
  return {};
}

/// Streams need a descriptor each, so the soft limit is raised to the hard one.
void raise_descriptor_limit(const ops::Settings& settings, ops::Logger& log) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (settings.limits.streams > limit.rlim_cur) {
    log.warn("limits.streams is above the limit of descriptors; raise the latter (ulimit -n, LimitNOFILE)",
             {{"limits.streams", settings.limits.streams}, {"descriptors", std::uint64_t{limit.rlim_cur}}});
  }
}

}  // namespace

struct Node::Parts {
  Parts(const ops::Settings& its_settings, ops::Logger& its_log)
      : settings(its_settings),
        log(its_log),
        budget({.queued_bytes = settings.limits.queued_bytes,
                .history_bytes = settings.history.memory,
                .streams = settings.limits.streams}),
        addresses(settings.limits),
        epoch(make_epoch()),
        services{.settings = settings,
                 .log = log,
                 .metrics = metrics,
                 .readiness = readiness,
                 .budget = budget,
                 .addresses = addresses,
                 .owners = {},
                 .keep_alive = {.interval = settings.keepalive.interval,
                                .comment = hub::Event::fixed(sse::comment(settings.keepalive.text))},
                 .v1{"v1", hub_options(settings, epoch), budget},
                 .v2{"v2", hub_options(settings, epoch), budget},
                 .v3{"v3", hub_options(settings, epoch), budget,
                     settings.kafka.brokers.empty() ? nullptr : std::make_unique<hub::Log>()},
                 .v4{"v4", hub_options(settings, epoch), budget},
                 .feeds = {},
                 .v3_publisher = {},
                 .topic_feeds = {},
                 .store = {},
                 .report_watch = {},
                 .reports = {},
                 .web = {},
                 .store_seconds = {},
                 .crowded = [this] { return public_server && public_server->crowded(); }} {
    for (const ops::Settings::Kafka::Feed& feed : settings.kafka.feeds) {
      services.feeds.push_back(std::make_unique<api::Namespace>(
          "feeds/" + feed.name_space, hub_options(settings, epoch), budget, std::make_unique<hub::Log>()));
    }
    if (!settings.kafka.brokers.empty()) kafka.emplace(services);
  }

  const ops::Settings& settings;
  ops::Logger& log;
  ops::MetricsPage metrics;
  ops::Readiness readiness;
  hub::Budget budget;
  api::AddressLimits addresses;
  const std::string epoch;
  api::Services services;
  std::optional<KafkaFeeds> kafka;
  std::vector<std::unique_ptr<io::Reactor>> reactors;
  std::unique_ptr<api::Api> public_api;
  std::unique_ptr<api::Api> admin_api;
  std::unique_ptr<http::Server> public_server;
  std::unique_ptr<http::Server> admin_server;
  std::unique_ptr<Sweeper> sweeper;
  std::vector<std::jthread> threads;

  std::expected<void, Error> listen(http::Server& server, const ops::Address& address);
  std::expected<void, Error> open_store();
  std::expected<void, Error> load_web();
  /// Runs `task` for each reactor's streams on its thread, and waits.
  template <class Task>
  void on_each_owner(Task task);
};

Node::Node(const ops::Settings& settings, ops::Logger& log) {
  raise_descriptor_limit(settings, log);
  parts_ = std::make_unique<Parts>(settings, log);
  Parts& parts = *parts_;

  const std::uint64_t cores = std::clamp<std::uint64_t>(std::thread::hardware_concurrency(), 1, api::kReactorsMax);
  const std::uint64_t threads = settings.threads == 0 ? cores : settings.threads;
  // All of them together may publish half a buffer to one stream before anyone has flushed it.
  const std::uint64_t round_bytes_max = std::min<std::uint64_t>(64 * 1024, settings.stream.buffer / (2 * threads));
  std::vector<io::Reactor*> reactors;
  for (std::size_t i = 0; i < threads; ++i) {
    parts.reactors.push_back(std::make_unique<io::Reactor>());
    parts.services.owners.push_back(std::make_unique<api::StreamOwner>(*parts.reactors.back(), i, round_bytes_max));
    reactors.push_back(parts.reactors.back().get());
  }

  const http::ServerOptions options{.body_bytes_max = settings.limits.body,
                                    .head_timeout = settings.timeouts.head,
                                    .body_timeout = settings.timeouts.body,
                                    .idle_timeout = settings.timeouts.idle};
  const bool has_admin = settings.admin.listen.has_value();
  parts.public_api =
      std::make_unique<api::Api>(parts.services, has_admin ? api::Surface::kPublic : api::Surface::kBoth);
  parts.public_server = std::make_unique<http::Server>(reactors, *parts.public_api, options);
  if (has_admin) {
    parts.admin_api = std::make_unique<api::Api>(parts.services, api::Surface::kOperations);
    parts.admin_server = std::make_unique<http::Server>(reactors, *parts.admin_api, options);
  }
  api::add_metrics(parts.services, [&parts] {
    return parts.public_server->connections() + (parts.admin_server ? parts.admin_server->connections() : 0);
  });
  parts.sweeper = std::make_unique<Sweeper>(parts.services, *reactors.front());
}

std::expected<void, Error> Node::Parts::listen(http::Server& server, const ops::Address& address) {
  const auto port = server.listen({.host = address.host, .port = address.port});
  if (!port) {
    if (address.if_present && port.error().kind == http::ListenError::Kind::kNoSuchAddress) return {};
    return std::unexpected(Error{port.error().what});
  }
  log.info("listening", {{"address", ops::Address{address.host, *port, false}.text()}});
  return {};
}

std::expected<void, Error> Node::Parts::open_store() {
  constexpr std::string_view kSqlite = "sqlite:";
  reports::StoreOptions options{.keep = settings.reports.keep};
  if (settings.store.starts_with(kSqlite)) {
    auto opened = reports::open_sqlite_store(settings.store.substr(kSqlite.size()), options);
    if (!opened) return std::unexpected(opened.error());
    services.store = *std::move(opened);
  } else if (settings.store == "dynamodb") {
    services.store = reports::make_dynamodb_store({.endpoint = settings.dynamodb.endpoint,
                                                   .region = settings.dynamodb.region,
                                                   .table_prefix = settings.dynamodb.table_prefix},
                                                  std::move(options));
  } else {
    services.store = reports::make_memory_store(std::move(options));
  }
  services.report_watch =
      std::make_unique<api::ReportWatch>(services.v4.hub, services.owners, *services.store, settings.reports.recheck);
  reports::ReportListener& listener =
      kafka ? kafka->tell_reports(*services.report_watch, *services.store) : *services.report_watch;
  services.reports = std::make_unique<reports::ReportService>(*services.store, listener);
  if (kafka) kafka->take_report_updates(*services.reports);
  if (services.store->id() == nullptr) {
    readiness.down("store", "it has not answered yet");
  } else {
    readiness.up("store");
  }
  return {};
}

std::expected<void, Error> Node::Parts::load_web() {
  std::filesystem::path root = settings.web.root;
  if (root.empty()) {
    root = built_front_end();
    if (root.empty()) {
      log.info("there is no built front end; / answers 404");
      return {};
    }
  }
  auto files = api::WebFiles::load(root);
  if (!files) return std::unexpected(files.error());
  services.web = std::make_unique<api::WebFiles>(*std::move(files));
  return {};
}

std::expected<void, Error> Node::start() {
  Parts& parts = *parts_;
  if (auto opened = parts.open_store(); !opened) return opened;
  if (auto loaded = parts.load_web(); !loaded) return loaded;
  for (const ops::Address& address : parts.settings.listen) {
    if (auto listening = parts.listen(*parts.public_server, address); !listening) return listening;
  }
  if (parts.admin_server) {
    if (auto listening = parts.listen(*parts.admin_server, *parts.settings.admin.listen); !listening) return listening;
  }
  for (const auto& reactor : parts.reactors) parts.threads.emplace_back([&reactor = *reactor] { reactor.run(); });
  parts.reactors.front()->post([&parts] { parts.sweeper->start(); });
  if (parts.kafka) parts.kafka->start();
  parts.public_server->start();
  if (parts.admin_server) parts.admin_server->start();
  return {};
}

template <class Task>
void Node::Parts::on_each_owner(Task task) {
  std::latch done(static_cast<std::ptrdiff_t>(services.owners.size()));
  for (const auto& owner : services.owners) {
    owner->reactor.post([&task, &done, &owner = *owner] {
      task(owner);
      done.count_down();
    });
  }
  done.wait();
}

void Node::announce_drain() {
  parts_->readiness.drain();
}

void Node::drain_streams(milliseconds period) {
  parts_->services.refuses_streams = true;
  parts_->public_server->close_after_answers();
  parts_->on_each_owner([&](api::StreamOwner& owner) {
    std::minstd_rand random(std::random_device{}());
    std::uniform_int_distribution<std::int64_t> spread(0, period.count());
    for (api::EventStream* const stream : owner.streams()) {
      stream->end_at(owner.reactor.now() + milliseconds(spread(random)), api::jittered(parts_->settings.stream.retry));
    }
  });
}

bool Node::has_streams() const {
  return std::ranges::any_of(parts_->services.owners, [](const auto& owner) { return owner->open() > 0; });
}

void Node::stop() {
  Parts& parts = *parts_;
  parts.services.refuses_posts = true;
  parts.on_each_owner([](api::StreamOwner& owner) {
    for (api::EventStream* const stream : owner.streams()) stream->cut();
  });
  if (parts.kafka) parts.kafka->stop_reading();
  parts.services.store->close();  // what was accepted is stored, and its answers are on their way
  if (parts.kafka) parts.kafka->flush();
  for (http::Server* server : {parts.public_server.get(), parts.admin_server.get()}) {
    if (server == nullptr) continue;
    server->stop_accepting();
    server->close_connections();
  }
  for (const auto& reactor : parts.reactors) reactor->stop();
  parts.threads.clear();
}

Node::~Node() {
  if (!parts_->threads.empty()) stop();
}

}  // namespace rillgate::app
