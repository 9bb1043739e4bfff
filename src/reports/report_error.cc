#include "reports/report_error.h"

#include <fmt/format.h>

namespace rillgate::reports {
namespace {

struct Describe {
  std::string operator()(const NotFound& error) const {
    return fmt::format("user {} has no report {}", error.user.text(), error.report.text());
  }
  std::string operator()(const NotAllowed& error) const {
    std::string allowed;
    for (const Status status : allowed_from(error.from)) {
      allowed.append(allowed.empty() ? "" : ", ").append(name(status));
    }
    return fmt::format("a report that is {} cannot become {}; allowed: {}", name(error.from), name(error.to),
                       allowed.empty() ? "nothing, the state is final" : allowed);
  }
  std::string operator()(const VersionMismatch& error) const {
    return fmt::format("the report has version {}, the request expects {}; read it again", value(error.present),
                       value(error.expected));
  }
  std::string operator()(const Unavailable& error) const {
    return fmt::format("the report store cannot serve now: {}", error.reason);
  }
};

}  // namespace

std::string describe(const ReportError& error) {
  return std::visit(Describe{}, error);
}

}  // namespace rillgate::reports
