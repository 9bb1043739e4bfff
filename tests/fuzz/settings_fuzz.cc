// The settings file against arbitrary bytes: whatever is in it, each mistake is one line that names a line of the file,
// and what is accepted holds the promises that the rooms build on.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "ops/impl/consistency.h"
#include "ops/impl/settings_file.h"

namespace {

using namespace rillgate::ops;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const Mistake& mistake, std::size_t lines) {
  require(mistake.place.source == "f" && mistake.place.line >= 1 && mistake.place.line <= lines);
  require(!rillgate::has_control_characters(mistake.text()));
}

void check(const Settings& settings) {
  require(!rillgate::has_control_characters(settings.keepalive.text) && rillgate::is_utf8(settings.keepalive.text));
  require(settings.limits.body >= 1 && settings.limits.streams >= 1 && settings.threads <= 1024);
  require(settings.keepalive.interval.count() > 0 && settings.stream.retry.count() > 0);
  for (const Address& address : settings.listen) require(!address.host.empty());
  for (const Network& network : settings.limits.trusted_proxies) require(network.prefix <= 128);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  SettingsFile file = parse_settings_file(text, "f");
  Settings settings;
  for (const Given& given : file.given) apply(given, settings, file.mistakes);
  // The parser may blame the end of the file, which is one line further when the last one is ended.
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  for (const Mistake& mistake : file.mistakes) check(mistake, lines);
  check(settings);
  static_cast<void>(contradictions(settings, {}));
  static_cast<void>(doubts(settings));
  return 0;
}
