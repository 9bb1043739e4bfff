#include "reports/impl/report_id_source.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace rillgate::reports::impl {

ReportId ReportIdSource::next(Time now) {
  // std::random_device may ask the processor, which takes a hundred times as long in a virtual machine.
  std::uint64_t random[2];
  if (getentropy(random, sizeof random) != 0) std::abort();  // a kernel older than 3.17

  constexpr std::uint32_t kCounterMax = 0xfff;
  // A fresh millisecond begins in the lower half of the counter, which leaves room to count.
  const auto fresh_counter = static_cast<std::uint32_t>(random[0] & (kCounterMax >> 1));
  const auto now_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(now.time_since_epoch().count(), 0));
  if (now_ms > unix_ms_) {
    unix_ms_ = now_ms;
    counter_ = fresh_counter;
  } else if (++counter_ > kCounterMax) {
    ++unix_ms_;
    counter_ = fresh_counter;
  }

  const std::uint64_t high = unix_ms_ << 16 | 0x7000 | counter_;
  const std::uint64_t low = (random[1] & 0x3fff'ffff'ffff'ffff) | 0x8000'0000'0000'0000;
  ReportId id;
  for (std::size_t i = 0; i < 8; ++i) {
    id.bytes[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    id.bytes[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return id;
}

}  // namespace rillgate::reports::impl
