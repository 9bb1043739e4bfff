// All routes, and what every answer has in common: CORS, counting, the log.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

#include "api/services.h"
#include "base/counter.h"
#include "http/exchange.h"

namespace rillgate::api {

/// What one method of a route does.
using Action = std::function<void(http::Exchange&)>;

struct Route {
  std::string path;  // without a slash at its end; also the label in the metrics
  Action get;        // answers HEAD too
  Action post;
  Action put = {};
  enum class Kind : std::uint8_t {
    kPlain,
    kStream,     // refused so that browsers come back
    kOperators,  // never limited: a busy client on a machine must not make the node look dead to a probe from there
  } kind = Kind::kPlain;
};

/// Which routes a listener has.
enum class Surface : std::uint8_t { kPublic, kOperations, kBoth };

class Api final : public http::Handler {
 public:
  /// `services` outlives the API.
  Api(Services& services, Surface surface);
  ~Api();

  void handle(http::Exchange& exchange) override;
  void decorate(const http::Request* request, http::Response& response) override;
  void on_response(const http::Request* request, int status) override;

 private:
  class RequestCounts;

  [[nodiscard]] bool is_listed(std::string_view origin) const;
  [[nodiscard]] bool answered_by_rate(http::Exchange& exchange, const Route& route);
  [[nodiscard]] bool answered_by_policy(http::Exchange& exchange, const Route& route);
  void answer_options(http::Exchange& exchange, std::string_view allow) const;

  Services& services_;
  std::vector<Route> routes_;  // the first one stands for all unknown paths
  bool has_web_ = false;
  std::unique_ptr<RequestCounts> counts_;
};

}  // namespace rillgate::api
