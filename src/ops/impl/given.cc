#include "ops/impl/given.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace rillgate::ops {
namespace {

std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> elements;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    elements.push_back(trimmed(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return elements;
}

}  // namespace

std::string Place::text() const {
  return line == 0 ? source : fmt::format("{}:{}", source, line);
}

std::string Mistake::text() const {
  return place.source.empty() ? what : place.text() + ": " + what;
}

void apply(const Given& given, Settings& settings, std::vector<Mistake>& mistakes) {
  const Setting& setting = *given.setting;
  Settings changed = settings;
  bool is_accepted = true;
  const auto refuse = [&](std::string_view shown, const Place& place) {
    is_accepted = false;
    mistakes.push_back(
        {place, fmt::format("{} is no value for {}, which takes {}", shown, setting.name, setting.accepts)});
  };
  const auto read = [&](std::string_view text, const Place& place) {
    if (!setting.read(changed, text)) refuse(quoted(text), place);
  };
  setting.clear(changed);
  for (const Given::Value& value : given.values) {
    if (!value.is_text) {
      refuse(value.text, value.place);
    } else if (!setting.is_list) {
      read(value.text, value.place);
    } else {
      for (const std::string_view element : split_at_commas(value.text)) read(element, value.place);
    }
  }
  if (is_accepted) settings = std::move(changed);
}

std::string quoted(std::string_view text) {
  static constexpr std::size_t kShownBytesMax = 100;
  return text.size() <= kShownBytesMax ? json_string(text) : json_string(text.substr(0, kShownBytesMax)) + "…";
}

}  // namespace rillgate::ops
