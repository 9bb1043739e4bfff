// Why a store did not do what it was asked, with what the answer to it has to say.
#pragma once

#include <string>
#include <variant>

#include "reports/ids.h"
#include "reports/status.h"

namespace rillgate::reports {

/// The user has no such report. Whether another user has it is not told.
struct NotFound {
  UserId user;
  ReportId report;
  bool operator==(const NotFound&) const = default;
};

/// The step is not in the table; what would have been is allowed_from(from).
struct NotAllowed {
  Status from;
  Status to;
  bool operator==(const NotAllowed&) const = default;
};

/// Another change came before: the caller knew version `expected`, the report has `present`.
struct VersionMismatch {
  Version expected;
  Version present;
  bool operator==(const VersionMismatch&) const = default;
};

/// The store cannot serve now. A change that ends so was almost certainly not made; only where the disk or the network
/// failed in the very moment of the commit may it appear later. It is never made in part.
struct Unavailable {
  std::string reason;      // one clause for operator and client: no path, no secret
  bool retryable = false;  // whether the same request can succeed without an operator's repair
  bool busy = false;       // too many wait for it: no sign that it is not well
  bool operator==(const Unavailable&) const = default;
};

using ReportError = std::variant<NotFound, NotAllowed, VersionMismatch, Unavailable>;

/// The sentence for the `detail` of an HTTP answer or a dead letter's `reason`.
[[nodiscard]] std::string describe(const ReportError& error);

}  // namespace rillgate::reports
