// The names that come from outside: users, event types, topics. The error says what is accepted.
#pragma once

#include <expected>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace rillgate {

/// Stands for every user where a message is published, and for none elsewhere.
inline constexpr std::string_view kEveryone = "*";

/// 1 to 256 bytes of UTF-8 without control characters and without a colon. `*` passes.
[[nodiscard]] std::optional<Error> check_user(std::string_view name);

/// A Kafka topic's name: 1 to 249 ASCII letters, digits, dots, underscores and hyphens, and neither `.` nor `..`.
[[nodiscard]] bool is_topic_name(std::string_view name);

/// 1 to 256 bytes of UTF-8 without control characters; not beginning with `stream-`.
[[nodiscard]] std::optional<Error> check_event_type(std::string_view type);

}  // namespace rillgate
