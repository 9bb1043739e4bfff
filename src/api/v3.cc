#include "api/v3.h"

#include <fmt/format.h>

#include <memory>
#include <mutex>

#include "api/messages.h"

namespace rillgate::api {
namespace {

std::string sentence(const kafka::ProduceError& error) {
  return fmt::format("Kafka has not acknowledged the message ({}); post it again", error.reason);
}

http::Response unavailable(std::string_view detail) {
  http::Response response = http::problem(503, detail);
  response.field("Retry-After", "5");
  return response;
}

/// The messages of one request on their way; whoever brings the last answer responds.
class Batch {
 public:
  explicit Batch(http::Responder responder) : responder_(std::move(responder)) {}

  void expect() {
    const std::lock_guard lock(mutex_);
    ++pending_;
  }
  void reject(std::uint64_t line, std::string detail) {
    const std::lock_guard lock(mutex_);
    result_.reject(line, std::move(detail));
  }
  void settle(std::uint64_t line, const std::expected<kafka::Place, kafka::ProduceError>& written) {
    const std::lock_guard lock(mutex_);
    if (written) {
      result_.accept();
    } else {
      failure_ = sentence(written.error());
      result_.reject(line, failure_);
    }
    finish_one();
  }
  /// All lines were read.
  void close() {
    const std::lock_guard lock(mutex_);
    finish_one();
  }

 private:
  void finish_one() {
    if (--pending_ > 0) return;
    const bool is_down = result_.accepted() == 0 && !failure_.empty();
    responder_.respond(is_down ? unavailable(failure_) : result_.response());
  }

  std::mutex mutex_;
  http::Responder responder_;
  BatchResult result_;
  std::string failure_;
  std::uint64_t pending_ = 1;  // the reading of the lines
};

}  // namespace

void post_message_to_kafka(Services& services, http::Exchange& exchange) {
  if (answered_while_draining(services, exchange)) return;
  take_message(exchange, [&](const Message& message) {
    services.v3_publisher->publish(message.user, message.text, [responder = exchange.later()](auto written) mutable {
      if (!written) return responder.respond(unavailable(sentence(written.error())));
      responder.respond(
          {.status = 202,
           .content_type = http::kJson,
           .body = fmt::format("{{\"partition\":{},\"offset\":{}}}\n", written->partition, written->offset)});
    });
  });
}

void post_messages_to_kafka(Services& services, http::Exchange& exchange) {
  if (answered_while_draining(services, exchange)) return;
  std::shared_ptr<Batch> batch;  // shared by the messages that are not acknowledged yet
  const auto begun = [&]() -> Batch& {
    if (!batch) batch = std::make_shared<Batch>(exchange.later());
    return *batch;
  };
  const bool are_taken = take_messages(exchange, [&](std::uint64_t line, const auto& message) {
    if (!message) return begun().reject(line, message.error().what);
    begun().expect();
    services.v3_publisher->publish(message->user, message->text,
                                   [line, batch](const auto& written) { batch->settle(line, written); });
  });
  if (are_taken) begun().close();
}

}  // namespace rillgate::api
