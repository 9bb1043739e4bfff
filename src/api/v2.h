// V2: messages over HTTP. Also V3's routes while it has no Kafka.
#pragma once

#include "api/services.h"
#include "http/exchange.h"

namespace rillgate::api {

/// GET /v2/sse?username=NAME: the user's stream.
void user_stream(Services& services, Namespace& space, http::Exchange& exchange);
/// POST /v2/message?username=NAME[&event=TYPE]: one message, for one user or `*`.
void post_message(Services& services, Namespace& space, http::Exchange& exchange);
/// POST /v2/messages: one message a line.
void post_messages(Services& services, Namespace& space, http::Exchange& exchange);

}  // namespace rillgate::api
