// How a value that came from outside appears in an error's sentence: quoted, printable, and never long.
#pragma once

#include <string>
#include <string_view>

#include "base/text.h"

namespace rillgate::reports::impl {

[[nodiscard]] inline std::string quoted(std::string_view text) {
  constexpr std::size_t kShownBytesMax = 64;
  return json_string(text.substr(0, kShownBytesMax)) + (text.size() > kShownBytesMax ? " (cut)" : "");
}

}  // namespace rillgate::reports::impl
