#include "ops/readiness.h"

#include "base/text.h"

namespace rillgate::ops {
namespace {

constexpr std::string_view kOk = "ok";
constexpr std::string_view kPartly = "partly";
constexpr std::string_view kDown = "down";

}  // namespace

void Readiness::up(std::string_view dependency) {
  const std::scoped_lock lock(mutex_);
  states_.insert_or_assign(std::string(dependency), State{kOk, {}});
}

void Readiness::down(std::string_view dependency, std::string_view reason) {
  const std::scoped_lock lock(mutex_);
  states_.insert_or_assign(std::string(dependency), State{kDown, std::string(reason)});
}

void Readiness::partly(std::string_view dependency, std::string_view reason) {
  const std::scoped_lock lock(mutex_);
  states_.insert_or_assign(std::string(dependency), State{kPartly, std::string(reason)});
}

void Readiness::drain() {
  const std::scoped_lock lock(mutex_);
  is_draining_ = true;
}

Readiness::Report Readiness::report() const {
  const std::scoped_lock lock(mutex_);
  bool is_ready = !is_draining_;
  std::string lines;
  for (const auto& [dependency, state] : states_) {
    lines += lines.empty() ? "\n    {\"name\": " : ",\n    {\"name\": ";
    append_json_string(lines, dependency);
    lines += ", \"status\": ";
    append_json_string(lines, state.status);
    if (state.status != kOk) {
      lines += ", \"reason\": ";
      append_json_string(lines, state.reason);
    }
    lines += '}';
    if (state.status == kDown) is_ready = false;
  }
  const std::string_view status = is_draining_ ? "draining" : is_ready ? "ok" : "down";
  std::string json = "{\n  \"status\": \"" + std::string(status) + "\",\n  \"dependencies\": [" + lines;
  json += lines.empty() ? "]\n}\n" : "\n  ]\n}\n";
  return {is_ready, std::move(json)};
}

}  // namespace rillgate::ops
