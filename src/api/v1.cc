#include "api/v1.h"

#include "api/open_stream.h"
#include "api/parameters.h"
#include "base/names.h"

namespace rillgate::api {
namespace {

class GreetingStream final : public EventStream {
 public:
  GreetingStream(Services& services, StreamOwner& owner)
      : EventStream(services.v1.hub, owner), settings_(services.settings.v1), comment_(services.keep_alive.comment) {}

 private:
  void on_start() override {
    next_greeting_ = owner().reactor.now();
    greet();
  }

  void on_tick(io::Time now) override {
    // Late ticks are not made up for, but the next ones are on time: both periods count from the first greeting.
    if (now >= next_greeting_) {
      greet();
    } else if (now >= next_comment_) {
      next_comment_ += settings_.keepalive;
      schedule();
      send(comment_);
    } else {
      schedule();
    }
  }

  void greet() {
    next_comment_ = next_greeting_ + settings_.keepalive;
    next_greeting_ += settings_.period;
    schedule();
    send(hub::Event::fixed("data: hi!\n\n"));
  }

  void schedule() { tick_at(std::min(next_greeting_, next_comment_)); }

  void send(Ref<hub::Event> event) {
    if (hub().push(*this, std::move(event))) flush();
  }

  const ops::Settings::V1& settings_;
  const Ref<hub::Event>& comment_;
  io::Time next_greeting_{};
  io::Time next_comment_{};
};

}  // namespace

void v1_stream(Services& services, http::Exchange& exchange) {
  const auto user = stream_user(exchange.request());
  if (!user) {
    exchange.respond(http::problem(400, user.error().what));
    return;
  }
  if (answered_without_stream(services, exchange)) return;
  open_stream(services, exchange, std::make_unique<GreetingStream>(services, services.owner_on(exchange.reactor())),
              [&](EventStream& stream) { return services.v1.hub.attach_bare(stream, *user); });
}

}  // namespace rillgate::api
