// How to reach a Kafka cluster. What librdkafka can be told, an operator can set; what Rillgate's guarantees rest on,
// nobody can unset.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace rillgate::kafka {

/// A property of librdkafka and its value, as its documentation writes them.
using Property = std::pair<std::string, std::string>;

struct Config {
  std::string brokers;  // HOST:PORT, several parted by commas
  std::vector<Property> properties = {};
  /// What librdkafka has to say, and whether it is grave. Any thread; must not block.
  std::function<void(bool is_grave, std::string_view text)> log = [](bool, std::string_view) {};
};

/// What is wrong with the property: librdkafka does not have it or does not take the value, or Rillgate sets it itself.
[[nodiscard]] std::optional<Error> check(const Property& property);

}  // namespace rillgate::kafka
