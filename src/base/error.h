// What went wrong, in one sentence for the person who can change it.
#pragma once

#include <string>

namespace rillgate {

/// The error of functions that can fail in one way only. `what` says the value given, the name of the setting or
/// parameter, and what is accepted; the same sentence becomes the `detail` of an HTTP answer or a line of the log.
/// Interfaces that can fail in several ways which a caller must tell apart define their own error type.
struct Error {
  std::string what;
};

}  // namespace rillgate
