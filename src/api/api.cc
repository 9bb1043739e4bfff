#include "api/api.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/open_stream.h"
#include "api/operations.h"
#include "api/v1.h"
#include "api/v2.h"
#include "api/v3.h"
#include "api/v4.h"
#include "base/text.h"

namespace rillgate::api {
namespace {

constexpr std::size_t kUnknownRoute = 0;
constexpr std::string_view kAnyOrigin = "*";

std::string allowed_methods(const Route& route) {
  std::string methods = "OPTIONS";
  if (route.get) methods += ", GET, HEAD";
  if (route.post) methods += ", POST";
  if (route.put) methods += ", PUT";
  return methods;
}

bool is_safe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

/// Whether `origin` names the server itself, as the client addressed it.
bool is_own(std::string_view origin, const http::Request& request) {
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos &&
         equals_ignoring_case(origin.substr(scheme + 3), request.field("Host").value_or(""));
}

std::string_view without_last_slash(std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

/// rillgate_http_requests_total: a counter for each route and code, made when it is first needed.
class Api::RequestCounts {
 public:
  static constexpr std::array kCodes{200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406,
                                     408, 409, 412, 413, 415, 417, 422, 429, 431, 500, 503};

  explicit RequestCounts(std::size_t routes) : counters_(routes) {}

  void add(std::size_t route, int code) {
    const auto found = std::ranges::find(kCodes, code);
    const std::size_t index = found == kCodes.end() ? 0 : static_cast<std::size_t>(found - kCodes.begin());
    std::atomic<Counter*>& slot = counters_[route][index];
    Counter* counter = slot.load(std::memory_order_acquire);
    if (counter == nullptr) {
      auto made = std::make_unique<Counter>();
      if (slot.compare_exchange_strong(counter, made.get())) counter = made.release();
    }
    counter->add();
  }

  void collect(const std::vector<Route>& routes, ops::Families& families) const {
    std::vector<ops::Sample> samples;
    for (std::size_t route = 0; route < routes.size(); ++route) {
      for (std::size_t i = 0; i < kCodes.size(); ++i) {
        const Counter* const counter = counters_[route][i].load(std::memory_order_acquire);
        if (counter == nullptr) continue;
        samples.push_back({.value = static_cast<double>(counter->value()),
                           .labels = {{"route", routes[route].path}, {"code", std::to_string(kCodes[i])}}});
      }
    }
    families.push_back(
        ops::counter_family("rillgate_http_requests_total", "Answered HTTP requests.", std::move(samples)));
  }

  ~RequestCounts() {
    for (auto& route : counters_) {
      for (auto& slot : route) delete slot.load();
    }
  }

 private:
  std::vector<std::array<std::atomic<Counter*>, kCodes.size()>> counters_;
};

Api::Api(Services& services, Surface surface) : services_(services) {
  has_web_ = surface != Surface::kOperations;
  routes_.push_back({.path = "other", .get = {}, .post = {}});
  if (surface != Surface::kOperations) {
    const auto stream = [&](std::string path, Action get) {
      routes_.push_back({.path = std::move(path), .get = std::move(get), .post = {}, .kind = Route::Kind::kStream});
    };
    stream("/v1/sse", [&](auto& exchange) { v1_stream(services, exchange); });
    std::vector<Namespace*> of_users{&services.v2, &services.v3};
    for (const auto& feed : services.feeds) of_users.push_back(feed.get());
    for (Namespace* space : of_users) {
      stream("/" + space->version + "/sse",
             [&services, space](auto& exchange) { user_stream(services, *space, exchange); });
    }
    const auto add_posts = [&](const std::string& root, Action one, Action many) {
      routes_.push_back({.path = root + "/message", .get = {}, .post = std::move(one)});
      routes_.push_back({.path = root + "/messages", .get = {}, .post = std::move(many)});
    };
    const auto inside = [&services](auto action, Namespace& space) {
      return [&services, action, &space](auto& exchange) { action(services, space, exchange); };
    };
    const auto into_kafka = [&services](auto action) {
      return [&services, action](auto& exchange) { action(services, exchange); };
    };
    add_posts("/v2", inside(post_message, services.v2), inside(post_messages, services.v2));
    if (services.v3_publisher) {
      add_posts("/v3", into_kafka(post_message_to_kafka), into_kafka(post_messages_to_kafka));
    } else {
      add_posts("/v3", inside(post_message, services.v3), inside(post_messages, services.v3));
    }
    const auto v4 = [&services](auto action) {
      return [&services, action](auto& exchange) { action(services, exchange); };
    };
    stream("/v4/sse", v4(report_stream));
    routes_.push_back({.path = "/v4/new/report", .get = {}, .post = v4(create_report)});
    routes_.push_back({.path = "/v4/reports", .get = v4(list_reports), .post = {}});
    routes_.push_back({.path = "/v4/report", .get = v4(get_report), .post = {}, .put = v4(change_report)});
    routes_.push_back({.path = "/v4/report/history", .get = v4(report_history), .post = {}});
  }
  if (surface != Surface::kPublic) {
    const auto for_operators = [&](std::string path, Action get) {
      routes_.push_back({.path = std::move(path), .get = std::move(get), .post = {}, .kind = Route::Kind::kOperators});
    };
    for_operators("/healthz", health);
    for_operators("/readyz", [&](auto& exchange) { readiness(services, exchange); });
    for_operators("/metrics", [&](auto& exchange) { metrics(services, exchange); });
  }
  counts_ = std::make_unique<RequestCounts>(routes_.size());
  services.metrics.add([this](ops::Families& families) { counts_->collect(routes_, families); });
}

Api::~Api() = default;

void Api::handle(http::Exchange& exchange) {
  http::Request& request = exchange.request();
  const std::string_view path = without_last_slash(request.path);
  const auto found =
      std::find_if(routes_.begin() + 1, routes_.end(), [&](const Route& route) { return route.path == path; });
  request.route = found == routes_.end() ? kUnknownRoute : static_cast<std::size_t>(found - routes_.begin());
  if (answered_by_rate(exchange, routes_[request.route])) return;
  if (path == "*") {
    answer_options(exchange, "OPTIONS, GET, HEAD, POST, PUT");
    return;
  }
  if (found == routes_.end()) {
    if (has_web_ && services_.web && services_.web->answered(exchange)) return;
    exchange.respond(
        http::problem(404, fmt::format("there is no route {}; docs/openapi.yaml lists them", request.path)));
    return;
  }
  if (answered_by_policy(exchange, *found)) return;
  if (request.method == "POST" && found->post) {
    found->post(exchange);
  } else if ((request.method == "GET" || request.method == "HEAD") && found->get) {
    found->get(exchange);
  } else if (request.method == "PUT" && found->put) {
    found->put(exchange);
  } else {
    const std::string allow = allowed_methods(*found);
    http::Response response =
        http::problem(405, fmt::format("{} takes no {}; it takes {}", found->path, request.method, allow));
    response.field("Allow", allow);
    exchange.respond(std::move(response));
  }
}

bool Api::answered_by_rate(http::Exchange& exchange, const Route& route) {
  constexpr std::string_view kDetail =
      "your address sends more requests a second than limits.requests-per-address allows; slow down";
  const http::Request& request = exchange.request();
  if (route.kind == Route::Kind::kOperators ||
      services_.addresses.admit_request(services_.addresses.client_of(request), exchange.reactor().now())) {
    return false;
  }
  if (route.kind == Route::Kind::kStream && request.method == "GET") {
    refuse_stream(services_, exchange, kDetail, 429);
    return true;
  }
  http::Response response = http::problem(429, kDetail);
  response.field("Retry-After", "1");
  exchange.respond(std::move(response));
  return true;
}

bool Api::answered_by_policy(http::Exchange& exchange, const Route& route) {
  const http::Request& request = exchange.request();
  if (request.method == "OPTIONS") {
    answer_options(exchange, allowed_methods(route));
    return true;
  }
  if (const auto origin = request.field("Origin");
      origin && !is_safe(request.method) && !is_own(*origin, request) && !is_listed(*origin)) {
    exchange.respond(
        http::problem(403, fmt::format("the origin {} may not post here; list it in cors.origins", *origin)));
    return true;
  }
  return false;
}

void Api::answer_options(http::Exchange& exchange, std::string_view allow) const {
  const http::Request& request = exchange.request();
  http::Response response{.status = 204};
  response.field("Allow", allow);
  if (const auto origin = request.field("Origin");
      origin && is_listed(*origin) && request.field("Access-Control-Request-Method")) {
    response.field("Access-Control-Allow-Methods", allow)
        .field("Access-Control-Allow-Headers", "Last-Event-ID, Authorization, Content-Type, Idempotency-Key, If-Match")
        .field("Access-Control-Max-Age", "600");
  }
  exchange.respond(std::move(response));
}

bool Api::is_listed(std::string_view origin) const {
  return std::ranges::any_of(services_.settings.cors.origins, [&](const std::string& listed) {
    return listed == kAnyOrigin || equals_ignoring_case(listed, origin);
  });
}

void Api::decorate(const http::Request* request, http::Response& response) {
  if (services_.settings.cors.origins.empty()) return;
  response.field("Vary", "Origin");
  const auto origin = request == nullptr ? std::nullopt : request->field("Origin");
  if (!origin || !is_listed(*origin)) return;
  response.field("Access-Control-Allow-Origin", *origin)
      .field("Access-Control-Allow-Credentials", "true")
      .field("Access-Control-Expose-Headers", "ETag, Last-Event-ID, Location, Link, Retry-After, X-Request-Id");
}

void Api::on_response(const http::Request* request, int status) {
  counts_->add(request == nullptr ? kUnknownRoute : request->route, status);
  if (!services_.log.enabled(ops::LogLevel::kDebug)) return;
  if (request == nullptr) {
    services_.log.debug("request refused", {{"status", status}});
  } else {
    // Without the query: it names users, and may hold a token.
    services_.log.debug("request", {{"method", request->method},
                                    {"path", request->path},
                                    {"status", status},
                                    {"peer", request->peer.text()},
                                    {"request_id", request->request_id}});
  }
}

}  // namespace rillgate::api
