// What people read about the settings, made from their declarations.
#pragma once

#include <string>

namespace rillgate::ops {

/// For a terminal: the commands and all settings.
[[nodiscard]] std::string help_text();

}  // namespace rillgate::ops
