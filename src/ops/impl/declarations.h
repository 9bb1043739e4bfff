// Every setting, declared once. Flags, variables, file keys, help, documentation and the check of a file all derive
// from this table; a setting that is not in it does not exist.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/settings.h"

namespace rillgate::ops {

struct Setting {
  std::string name;  // limits.streams-per-user
  std::string help;
  std::string placeholder;
  std::string accepts;
  std::string default_text;
  bool is_list;    // repeatable; where it is one text, it is split at commas
  bool is_switch;  // the flag may stand alone
  /// Stores one value (of a list: appends it). False, and nothing stored, when the text is not accepted.
  std::function<bool(Settings&, std::string_view)> read;
  /// Empties a list, so that one source replaces what a weaker one gave; does nothing to other kinds.
  std::function<void(Settings&)> clear;

  [[nodiscard]] std::string flag() const;        // --limits.streams-per-user
  [[nodiscard]] std::string variable() const;    // RILLGATE_LIMITS_STREAMS_PER_USER
  [[nodiscard]] std::string_view table() const;  // limits; empty at the top level
};

/// In the order in which they are documented; the settings of one table follow each other.
[[nodiscard]] std::span<const Setting> declared_settings();

/// Null when there is none of that name.
[[nodiscard]] const Setting* find_setting(std::string_view name);

/// The candidate that a mistyped `name` was probably meant to be; empty when none is near. A name without its table
/// (`buffer`) finds the setting in one (`stream.buffer`).
[[nodiscard]] std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

/// " (did you mean X?)", or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view prefix, const std::string& nearest);

}  // namespace rillgate::ops
