#include "base/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace rillgate {
namespace {

constexpr std::size_t kNameBytesMax = 256;
constexpr std::string_view kOwnPrefix = "stream-";

std::string shown(std::string_view text) {
  constexpr std::size_t kShownBytes = 64;
  return json_string(text.size() > kShownBytes ? text.substr(0, kShownBytes) : text);
}

std::optional<Error> check(std::string_view what, std::string_view name) {
  if (name.empty()) return Error{fmt::format("the {} is empty; it has 1 to {} bytes", what, kNameBytesMax)};
  if (name.size() > kNameBytesMax) {
    return Error{fmt::format("the {} has {} bytes; it has 1 to {}", what, name.size(), kNameBytesMax)};
  }
  if (!is_utf8(name))
    return Error{fmt::format("the {} {} is not UTF-8; percent-encode its UTF-8 bytes", what, shown(name))};
  if (has_control_characters(name)) {
    return Error{
        fmt::format("the {} {} holds a control character; leave out U+0000 to U+001F and U+007F", what, shown(name))};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Error> check_user(std::string_view name) {
  if (auto error = check("username", name)) return error;
  if (name.contains(':')) {
    return Error{
        fmt::format("the username {} holds a colon, which ends the name in a Kafka record; leave it out", shown(name))};
  }
  return std::nullopt;
}

bool is_topic_name(std::string_view name) {
  constexpr std::size_t kBytesMax = 249;
  return !name.empty() && name.size() <= kBytesMax && name != "." && name != ".." &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

std::optional<Error> check_event_type(std::string_view type) {
  if (auto error = check("event type", type)) return error;
  if (type.starts_with(kOwnPrefix)) {
    return Error{
        fmt::format("the event type {} begins with '{}', which is reserved; choose another", shown(type), kOwnPrefix)};
  }
  return std::nullopt;
}

}  // namespace rillgate
