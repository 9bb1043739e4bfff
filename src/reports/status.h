// The states of a report and the steps between them: the one table from which the stores' checks, an error's `allowed`,
// the API's description and the front end's buttons derive.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace rillgate::reports {

enum class Status : std::uint8_t { kPending, kQueued, kProcessing, kCompleted, kFailed, kCanceled };

inline constexpr std::array kStatuses{Status::kPending,   Status::kQueued, Status::kProcessing,
                                      Status::kCompleted, Status::kFailed, Status::kCanceled};

/// The state in which every report begins.
inline constexpr Status kFirstStatus = Status::kPending;

struct Transition {
  Status from;
  Status to;
  auto operator<=>(const Transition&) const = default;
};

inline constexpr std::array kTransitions{
    Transition{Status::kPending, Status::kQueued},       Transition{Status::kPending, Status::kCanceled},
    Transition{Status::kQueued, Status::kProcessing},    Transition{Status::kQueued, Status::kCanceled},
    Transition{Status::kProcessing, Status::kCompleted}, Transition{Status::kProcessing, Status::kFailed},
    Transition{Status::kFailed, Status::kPending},       Transition{Status::kCanceled, Status::kPending},
};

[[nodiscard]] constexpr bool is_allowed(Transition transition) {
  return std::ranges::find(kTransitions, transition) != kTransitions.end();
}

/// In the table's order; empty for a state that is final.
[[nodiscard]] std::vector<Status> allowed_from(Status status);

[[nodiscard]] std::string_view name(Status status);
/// Names are compared byte for byte.
[[nodiscard]] std::expected<Status, Error> parse_status(std::string_view text);

/// The whole table as a JSON object, each state with the list of its successors:
/// `{"pending":["queued","canceled"],…,"completed":[],…}`.
[[nodiscard]] std::string transitions_json();

/// `["queued","canceled"]`
[[nodiscard]] std::string status_list_json(const std::vector<Status>& statuses);

}  // namespace rillgate::reports
