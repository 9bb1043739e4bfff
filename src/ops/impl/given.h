// What one source (the file, a variable, a flag) gives for a setting, before it is judged; and the way from there into
// Settings. Places travel with the values, so that every mistake can be told where it was made.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ops/impl/declarations.h"

namespace rillgate::ops {

/// `rillgate.toml:12`, `RILLGATE_THREADS`, `--threads`; without a source: nowhere in particular.
struct Place {
  std::string source;
  std::size_t line = 0;  // 0 = the source has no lines

  [[nodiscard]] std::string text() const;
};

struct Mistake {
  Place place;
  std::string what;

  /// `PLACE: WHAT`, always one line.
  [[nodiscard]] std::string text() const;
};

struct Given {
  struct Value {
    std::string text;
    Place place;
    bool is_text = true;  // false: no reader could take it, and `text` names it ("a table")
  };
  const Setting* setting;
  Place place;
  std::vector<Value> values;  // exactly one unless the setting is a list
};

/// Sets what `given` says. What is not accepted becomes a mistake, and the setting stays as it was.
void apply(const Given& given, Settings& settings, std::vector<Mistake>& mistakes);

/// `text` as a message shows it: in quotes, on one line, and cut when it is long.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace rillgate::ops
