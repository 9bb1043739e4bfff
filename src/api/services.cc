#include "api/services.h"

#include <algorithm>
#include <cassert>

namespace rillgate::api {

StreamOwner& Services::owner_on(const io::Reactor& reactor) const {
  const auto found = std::ranges::find_if(owners, [&](const auto& owner) { return &owner->reactor == &reactor; });
  assert(found != owners.end());
  return **found;
}

std::vector<Namespace*> Services::namespaces() {
  std::vector<Namespace*> all{&v1, &v2, &v3, &v4};
  for (const auto& feed : feeds) all.push_back(feed.get());
  return all;
}

void Services::note_store(const reports::Unavailable* failure) {
  const bool is_down = failure != nullptr;
  if (is_down) {
    readiness.down("store", failure->reason);  // the reason may be another one than before
  } else {
    readiness.up("store");
  }
  if (store_is_down.exchange(is_down) == is_down) return;
  if (is_down) {
    log.error("the report store is down", {{"reason", failure->reason}});
  } else {
    log.info("the report store is back");
  }
}

}  // namespace rillgate::api
