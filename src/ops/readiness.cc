#include "ops/readiness.h"

#include "base/text.h"

namespace rillgate::ops {

void Readiness::up(std::string_view dependency) {
  const std::scoped_lock lock(mutex_);
  reasons_.insert_or_assign(std::string(dependency), std::nullopt);
}

void Readiness::down(std::string_view dependency, std::string_view reason) {
  const std::scoped_lock lock(mutex_);
  reasons_.insert_or_assign(std::string(dependency), std::string(reason));
}

void Readiness::drain() {
  const std::scoped_lock lock(mutex_);
  is_draining_ = true;
}

Readiness::Report Readiness::report() const {
  const std::scoped_lock lock(mutex_);
  bool is_ready = !is_draining_;
  std::string lines;
  for (const auto& [dependency, reason] : reasons_) {
    lines += lines.empty() ? "\n    {\"name\": " : ",\n    {\"name\": ";
    append_json_string(lines, dependency);
    lines += reason ? R"(, "status": "down", "reason": )" : R"(, "status": "ok")";
    if (reason) append_json_string(lines, *reason);
    lines += '}';
    if (reason) is_ready = false;
  }
  const std::string_view status = is_draining_ ? "draining" : is_ready ? "ok" : "down";
  std::string json = "{\n  \"status\": \"" + std::string(status) + "\",\n  \"dependencies\": [" + lines;
  json += lines.empty() ? "]\n}\n" : "\n  ]\n}\n";
  return {is_ready, std::move(json)};
}

}  // namespace rillgate::ops
