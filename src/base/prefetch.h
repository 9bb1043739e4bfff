// Fetching into the cache what will soon be needed, where many objects are visited one after the other: the memory's
// latency is then waited for once for several of them.
#pragma once

#include <cstddef>

namespace rillgate {

/// Objects that a loop fetches before their turn.
inline constexpr std::size_t kPrefetchAhead = 4;

/// Begins to fetch `bytes` bytes from `begin` on. They need not be readable.
inline void prefetch(const void* begin, std::size_t bytes) {
  constexpr std::size_t kLineBytes = 64;
  for (std::size_t at = 0; at < bytes; at += kLineBytes) __builtin_prefetch(static_cast<const char*>(begin) + at, 1);
}

}  // namespace rillgate
