// The two tables of the settings file whose keys are not ours to declare one by one: [kafka.properties], which has
// librdkafka's names, and [[kafka.feed]], of which there may be several.
#pragma once

#include <toml++/toml.h>

#include <string>

#include "ops/impl/settings_file.h"

namespace rillgate::ops {

/// Properties whose names have dots are tables in tables to TOML, unless they are quoted; both come out alike.
void read_kafka_properties(const toml::node& node, const Place& place, SettingsFile& file);
void read_kafka_feeds(const toml::node& node, const Place& place, SettingsFile& file);

/// For the reference: what the two tables take.
[[nodiscard]] std::string kafka_tables_markdown();

}  // namespace rillgate::ops
