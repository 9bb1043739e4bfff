// V1: a steady greeting.
#pragma once

#include "api/services.h"
#include "http/exchange.h"

namespace rillgate::api {

/// GET /v1/sse?username=NAME: `data: hi!` at once and each `v1.period`, a comment each `v1.keepalive` between.
void v1_stream(Services& services, http::Exchange& exchange);

}  // namespace rillgate::api
