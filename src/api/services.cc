#include "api/services.h"

#include <algorithm>
#include <cassert>

namespace rillgate::api {

StreamOwner& Services::owner_on(const io::Reactor& reactor) const {
  const auto found = std::ranges::find_if(owners, [&](const auto& owner) { return &owner->reactor == &reactor; });
  assert(found != owners.end());
  return **found;
}

}  // namespace rillgate::api
