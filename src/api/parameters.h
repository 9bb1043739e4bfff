// What several routes read from a request.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/message.h"
#include "http/query.h"
#include "hub/hub.h"

namespace rillgate::api {

/// The value of a header field that may be there once; fails when it is there more than once.
[[nodiscard]] std::expected<std::optional<std::string_view>, Error> single_field(const http::Request& request,
                                                                                 std::string_view name);

/// The `username` of a stream: a good name, and not `*`.
[[nodiscard]] std::expected<std::string, Error> stream_user(const http::Request& request);

/// Where the client wants to go on: the header `Last-Event-ID`, else the parameter `last_event_id`; an empty one is
/// none. `earliest` in either means all that is kept.
[[nodiscard]] std::expected<std::optional<std::string>, Error> last_event_id(const http::Request& request);
[[nodiscard]] hub::Resume resume_from(const std::optional<std::string>& id);

}  // namespace rillgate::api
