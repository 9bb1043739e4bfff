// The settings file: TOML text in, settings out, each with its line. It tells all mistakes, not only the first: after
// one that stops the TOML parser, the line at fault is taken out and the rest is read again.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ops/impl/given.h"

namespace rillgate::ops {

struct SettingsFile {
  std::vector<Given> given;
  std::vector<Mistake> mistakes;
  std::vector<kafka::Property> kafka_properties;
  std::vector<Settings::Kafka::Feed> kafka_feeds;
  Place feeds_place;
};

/// `name` is what the places call the file.
[[nodiscard]] SettingsFile parse_settings_file(std::string_view text, const std::string& name);

/// The text of the file at `path`. Refuses what is too large to have been written by hand, so that a wrong path
/// (a device, a database) cannot fill the memory.
[[nodiscard]] std::expected<std::string, Error> read_settings_file(const std::string& path);

}  // namespace rillgate::ops
