// What no setting can say of itself: whether they go together.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ops/impl/given.h"

namespace rillgate::ops {

using Places = std::map<std::string, Place, std::less<>>;  // by the setting's name; without those left at their default

/// What must not be served with.
[[nodiscard]] std::vector<Mistake> contradictions(const Settings& settings, const Places& places);

/// What can be served with and is probably not meant.
[[nodiscard]] std::vector<std::string> doubts(const Settings& settings);

}  // namespace rillgate::ops
