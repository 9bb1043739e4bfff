#include "reports/status.h"

#include <utility>

#include "reports/impl/quoted.h"

namespace rillgate::reports {

std::string_view name(Status status) {
  switch (status) {
    case Status::kPending:
      return "pending";
    case Status::kQueued:
      return "queued";
    case Status::kProcessing:
      return "processing";
    case Status::kCompleted:
      return "completed";
    case Status::kFailed:
      return "failed";
    case Status::kCanceled:
      return "canceled";
  }
  std::unreachable();
}

std::expected<Status, Error> parse_status(std::string_view text) {
  const auto* const found = std::ranges::find(kStatuses, text, name);
  if (found != kStatuses.end()) return *found;
  std::string accepted;
  for (const Status status : kStatuses) accepted.append(accepted.empty() ? "" : ", ").append(name(status));
  return std::unexpected(Error{impl::quoted(text) + " is not a status; accepted: " + accepted});
}

std::vector<Status> allowed_from(Status status) {
  std::vector<Status> result;
  for (const Transition& transition : kTransitions) {
    if (transition.from == status) result.push_back(transition.to);
  }
  return result;
}

std::string status_list_json(const std::vector<Status>& statuses) {
  std::string out = "[";
  for (const Status status : statuses) out.append(out.size() == 1 ? "\"" : ",\"").append(name(status)).append("\"");
  return out + ']';
}

std::string transitions_json() {
  std::string out = "{";
  for (const Status status : kStatuses) {
    out.append(out.size() == 1 ? "\"" : ",\"").append(name(status)).append("\":");
    out += status_list_json(allowed_from(status));
  }
  return out + '}';
}

}  // namespace rillgate::reports
