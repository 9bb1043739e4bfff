// The way from a GET to an open stream, the same for every version.
#pragma once

#include <chrono>
#include <memory>

#include "api/services.h"
#include "http/exchange.h"

namespace rillgate::api {

/// Whether the client takes an event stream (RFC 9110, section 12.5.1), and whether it asks for one by name, as every
/// EventSource does.
struct Acceptance {
  bool allowed;
  bool by_name;
};
[[nodiscard]] Acceptance accepts_event_stream(const http::Request& request);

/// `period` ± 50 %, so that a crowd of clients does not return at once.
[[nodiscard]] std::chrono::milliseconds jittered(std::chrono::milliseconds period);

/// The answers that come before any stream: 406, the bare head for HEAD, and the refusal while a limit is reached or
/// the node drains. True: the exchange is answered.
[[nodiscard]] bool answered_without_stream(Services& services, http::Exchange& exchange);

/// Refuses for a passing reason so that browsers come back: an EventSource gives up for good on any status but 200, so
/// it gets a stream of one `stream-close` block; others get `status`.
void refuse_stream(const Services& services, http::Exchange& exchange, std::string_view detail, int status = 503);

/// Attaches the stream by `attach` (which answers std::expected<void, hub::Refusal>), and starts it or refuses it.
template <class Attach>
void open_stream(Services& services, http::Exchange& exchange, std::unique_ptr<EventStream> stream, Attach attach);

namespace detail {
void start_stream(Services& services, http::Exchange& exchange, std::unique_ptr<EventStream> stream,
                  const http::PeerAddress& client);
[[nodiscard]] std::string_view sentence(hub::Refusal refusal);
}  // namespace detail

template <class Attach>
void open_stream(Services& services, http::Exchange& exchange, std::unique_ptr<EventStream> stream, Attach attach) {
  const http::PeerAddress client = services.addresses.client_of(exchange.request());
  if (!services.addresses.open_stream(client)) {
    refuse_stream(services, exchange,
                  "your address has as many streams as limits.streams-per-address allows; close some");
    return;
  }
  if (const std::expected<void, hub::Refusal> attached = attach(*stream); !attached) {
    services.addresses.close_stream(client);
    refuse_stream(services, exchange, detail::sentence(attached.error()));
    return;
  }
  detail::start_stream(services, exchange, std::move(stream), client);
}

}  // namespace rillgate::api
