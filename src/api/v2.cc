#include "api/v2.h"

#include <functional>

#include "api/messages.h"
#include "api/open_stream.h"
#include "api/parameters.h"
#include "base/names.h"
#include "base/text.h"

namespace rillgate::api {
namespace {

hub::Published publish(hub::Hub& hub, StreamOwner& here, const Message& message) {
  auto draft = hub::Event::draft(message.text);
  const std::size_t bytes = draft->memory_bytes();
  hub::Published published =
      message.user == kEveryone ? hub.broadcast(std::move(draft)) : hub.publish(message.user, std::move(draft));
  here.flush_soon(std::exchange(published.to_flush, {}), bytes);
  return published;
}

std::string published_json(const hub::Hub& hub, const hub::Published& published) {
  constexpr std::size_t kBytesMax = 100;  // one allocation
  std::string json;
  json.reserve(kBytesMax);
  json += R"({"id":")";
  hub.ids().append(json, published.seq);
  append_all(json, {R"(","streams":)", Decimal(published.streams), "}\n"});
  return json;
}

}  // namespace

void user_stream(Services& services, Namespace& space, http::Exchange& exchange) {
  const auto user = stream_user(exchange.request());
  const auto id = last_event_id(exchange.request());
  if (!user || !id) {
    exchange.respond(http::problem(400, user ? id.error().what : user.error().what));
    return;
  }
  if (answered_without_stream(services, exchange)) return;
  open_stream(services, exchange,
              std::make_unique<UserStream>(space.hub, services.owner_on(exchange.reactor()), services.keep_alive),
              [&](EventStream& stream) {
                return space.hub.attach(stream, *user, resume_from(*id), jittered(services.settings.stream.retry));
              });
}

void post_message(Services& services, Namespace& space, http::Exchange& exchange) {
  if (answered_while_draining(services, exchange)) return;
  StreamOwner& here = services.owner_on(exchange.reactor());
  const auto take = [&](const Message& message) {
    const hub::Published published = publish(space.hub, here, message);
    exchange.respond({.status = 202, .content_type = http::kJson, .body = published_json(space.hub, published)});
  };
  take_message(exchange, std::ref(take));  // by reference, it costs no allocation
}

void post_messages(Services& services, Namespace& space, http::Exchange& exchange) {
  if (answered_while_draining(services, exchange)) return;
  StreamOwner& here = services.owner_on(exchange.reactor());
  BatchResult result;
  const bool are_taken = take_messages(exchange, [&](std::uint64_t line, const auto& message) {
    if (message) {
      static_cast<void>(publish(space.hub, here, *message));
      result.accept();
    } else {
      result.reject(line, message.error().what);
    }
  });
  if (are_taken) exchange.respond(result.response());
}

}  // namespace rillgate::api
