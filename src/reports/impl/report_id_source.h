// Makes the ids of new reports.
#pragma once

#include <cstdint>

#include "reports/report.h"

namespace rillgate::reports::impl {

/// UUIDs of version 7 (RFC 9562, section 5.7), each larger than all before it from the same source, even when many are
/// made in one millisecond or the clock is set back (section 6.2, method 1: a 12-bit counter). The other 62 bits are
/// the system's randomness, so ids of different sources never meet and none can be guessed. One thread at a time.
class ReportIdSource {
 public:
  [[nodiscard]] ReportId next(Time now);

 private:
  std::uint64_t unix_ms_ = 0;
  std::uint32_t counter_ = 0;
};

}  // namespace rillgate::reports::impl
