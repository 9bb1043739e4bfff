// The kinds of value that a setting can have: what text is accepted, in words and in code, and how a value is shown.
// All sources (flag, variable, file) hand their values over as text, so one reader serves the three.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/settings.h"

namespace rillgate::ops {

template <class T>
struct Kind {
  std::string placeholder;  // stands for the value in the help
  std::string accepts;      // goes on after "takes": "a size from 1KiB to 1GiB, such as 64KiB"
  /// Stores the value, or says false and leaves the target alone. For a list: appends one element.
  std::function<bool(std::string_view, T&)> read;
  std::function<std::string(const T&)> show;
  bool is_list = false;
  bool is_switch = false;  // a flag of this kind may stand alone and then means `on`
};

struct Bounds {
  std::uint64_t min;
  std::uint64_t max;
};
struct DurationBounds {
  std::chrono::milliseconds min;
  std::chrono::milliseconds max;
};

[[nodiscard]] Kind<std::uint64_t> count(Bounds bounds);
[[nodiscard]] Kind<std::uint64_t> size(Bounds bounds_bytes);
[[nodiscard]] Kind<std::chrono::milliseconds> duration(DurationBounds bounds);
[[nodiscard]] Kind<bool> on_off();
[[nodiscard]] Kind<std::vector<Address>> addresses();
[[nodiscard]] Kind<std::optional<Address>> address();
[[nodiscard]] Kind<std::vector<Network>> networks();
[[nodiscard]] Kind<std::vector<std::string>> origins();
/// Text for one SSE comment: nothing in it can end the line, and with it the comment.
[[nodiscard]] Kind<std::string> comment_text();
[[nodiscard]] Kind<std::string> store_location();
/// HOST:PORT, several parted by commas; empty is none.
[[nodiscard]] Kind<std::string> brokers();
[[nodiscard]] Kind<std::string> topic();
/// Something of Kafka's that has the letters of a topic's name.
[[nodiscard]] Kind<std::string> topic_suffix();
[[nodiscard]] Kind<std::string> group_name();
/// The address of an HTTP service, without a path.
[[nodiscard]] Kind<std::string> endpoint();
/// The name of an AWS region.
[[nodiscard]] Kind<std::string> region();
/// The first part of a DynamoDB table's name.
[[nodiscard]] Kind<std::string> table_prefix();
/// A folder; empty stands for one that the program finds itself, which `empty_shown` names.
[[nodiscard]] Kind<std::string> folder(const std::string& empty_shown);

template <class E>
[[nodiscard]] Kind<E> choice(const std::vector<std::pair<std::string, E>>& options) {
  std::string bars;
  std::string commas;
  for (const auto& [name, value] : options) {
    bars += (bars.empty() ? "" : "|") + name;
    commas += (commas.empty() ? "one of " : ", ") + name;
  }
  const auto read = [options](std::string_view text, E& target) {
    for (const auto& [name, value] : options) {
      if (name != text) continue;
      target = value;
      return true;
    }
    return false;
  };
  const auto show = [options](const E& value) {
    for (const auto& [name, option] : options) {
      if (option == value) return name;
    }
    return std::string{};
  };
  return {.placeholder = bars, .accepts = commas, .read = read, .show = show};
}

}  // namespace rillgate::ops
