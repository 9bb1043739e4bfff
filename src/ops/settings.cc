#include "ops/settings.h"

#include <fmt/format.h>

namespace rillgate::ops {

std::string Address::text() const {
  return host.contains(':') ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

bool Address::is_loopback() const {
  return host.starts_with("127.") || host == "::1" || host.starts_with("::ffff:127.");
}

}  // namespace rillgate::ops
