// V3: messages over Kafka. A post is answered when the cluster has it safely; the streams are V2's, on a hub whose
// events are the topic's records.
#pragma once

#include "api/services.h"
#include "http/exchange.h"

namespace rillgate::api {

/// POST /v3/message?username=NAME[&event=TYPE], where services.v3_publisher is set.
void post_message_to_kafka(Services& services, http::Exchange& exchange);
/// POST /v3/messages, likewise.
void post_messages_to_kafka(Services& services, http::Exchange& exchange);

}  // namespace rillgate::api
