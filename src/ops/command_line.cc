#include "ops/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "ops/impl/consistency.h"
#include "ops/impl/given.h"
#include "ops/impl/reference.h"
#include "ops/impl/settings_file.h"

namespace rillgate::ops {
namespace {

enum class Command : std::uint8_t { kServe, kCheckConfig, kSettings, kVersion, kHelp };

struct Flags {
  Command command = Command::kServe;
  std::optional<std::string> config;
  std::vector<Given> given;
  std::vector<Mistake> mistakes;
};

/// A shorter name for a flag that is typed often.
constexpr std::string_view kKafka = "kafka";
constexpr std::string_view kKafkaBrokers = "kafka.brokers";

/// Goes through the arguments once, from left to right.
class FlagReader {
 public:
  explicit FlagReader(Arguments arguments) : rest_(arguments) {}

  Flags read() {
    if (!rest_.empty() && !std::string_view(rest_.front()).starts_with('-')) read_command(take());
    while (!rest_.empty()) {
      const std::string_view argument = take();
      if (argument == "-h" || argument == "--help") {
        flags_.command = Command::kHelp;
        break;
      }
      if (argument == "-V" || argument == "--version") {
        flags_.command = Command::kVersion;
        break;
      }
      if (argument.starts_with("--")) {
        read_flag(argument.substr(2));
      } else {
        add_mistake({}, fmt::format("{} is no flag; flags are --NAME VALUE, and `rillgate --help` lists them",
                                    quoted(argument)));
      }
    }
    return std::move(flags_);
  }

 private:
  std::string_view take() {
    const std::string_view argument = rest_.front();
    rest_ = rest_.subspan(1);
    return argument;
  }

  void read_command(std::string_view name) {
    static constexpr std::array<std::pair<std::string_view, Command>, 4> kCommands{
        {{"serve", Command::kServe},
         {"check-config", Command::kCheckConfig},
         {"settings", Command::kSettings},
         {"help", Command::kHelp}}};
    const auto found = std::ranges::find(kCommands, name, &std::pair<std::string_view, Command>::first);
    if (found != kCommands.end()) {
      flags_.command = found->second;
    } else {
      add_mistake(
          {}, fmt::format("{} is no command; the commands are serve, check-config, settings and help", quoted(name)));
    }
  }

  /// `argument` is `NAME=VALUE`, or `NAME` with its value in the next argument.
  void read_flag(std::string_view argument) {
    const std::size_t equals = argument.find('=');
    std::string name(argument.substr(0, equals));
    if (name == kKafka) name = kKafkaBrokers;
    const Setting* const setting = find_setting(name);
    if (setting == nullptr && name != "config") {
      add_mistake({},
                  fmt::format("{} is no flag{}; `rillgate --help` lists them", quoted("--" + name), suggestion(name)));
      // Its value would be reported as a second mistake.
      if (equals == std::string_view::npos && !rest_.empty() && !std::string_view(rest_.front()).starts_with('-'))
        take();
      return;
    }
    const Place place{"--" + name};
    std::optional<std::string> value;
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (setting != nullptr && setting->is_switch) {
      Settings scratch;
      value = !rest_.empty() && setting->read(scratch, rest_.front()) ? take() : "on";
    } else if (!rest_.empty() && !std::string_view(rest_.front()).starts_with("--")) {
      value = take();
    }
    if (!value) {
      add_mistake(place,
                  "the value is missing; --" + name + " takes " + (setting != nullptr ? setting->accepts : "a file"));
    } else if (setting != nullptr) {
      add_value(*setting, place, std::move(*value));
    } else if (std::exchange(flags_.config, std::move(value))) {
      add_mistake(place, "given twice; it takes one file");
    }
  }

  void add_value(const Setting& setting, const Place& place, std::string value) {
    const auto earlier = std::ranges::find(flags_.given, &setting, &Given::setting);
    if (earlier == flags_.given.end()) {
      flags_.given.push_back({&setting, place, {{std::move(value), place}}});
    } else if (setting.is_list) {
      earlier->values.push_back({std::move(value), place});
    } else {
      add_mistake(place, fmt::format("given twice, as {} and {}; it takes one value",
                                     quoted(earlier->values.front().text), quoted(value)));
    }
  }

  static std::string suggestion(std::string_view name) {
    std::vector<std::string> names{"config", "help", "version"};
    for (const Setting& setting : declared_settings()) names.push_back(setting.name);
    return did_you_mean("--", nearest_name(name, names));
  }

  void add_mistake(const Place& place, std::string what) { flags_.mistakes.push_back({place, std::move(what)}); }

  Arguments rest_;
  Flags flags_;
};

constexpr std::string_view kPrefix = "RILLGATE_";
constexpr std::string_view kConfigVariable = "RILLGATE_CONFIG";
// The scripts beside the server read these.
constexpr std::array<std::string_view, 2> kForeignVariables{"RILLGATE_URL", "RILLGATE_TOKEN"};

std::vector<Given> read_environment(const Environment& environment, std::vector<std::string>& warnings) {
  std::vector<Given> given;
  const auto settings = declared_settings();
  for (auto at = environment.lower_bound(kPrefix); at != environment.end() && at->first.starts_with(kPrefix); ++at) {
    const auto& [name, value] = *at;
    if (name == kConfigVariable || std::ranges::find(kForeignVariables, name) != kForeignVariables.end()) continue;
    const auto setting = std::ranges::find(settings, name, &Setting::variable);
    if (setting != settings.end()) {
      given.push_back({&*setting, {name}, {{value, {name}}}});
      continue;
    }
    std::vector<std::string> names;
    for (const Setting& known : settings) names.push_back(known.variable().substr(kPrefix.size()));
    warnings.push_back(fmt::format("the environment variable {} is no setting and has no effect{}", quoted(name),
                                   did_you_mean(kPrefix, nearest_name(name.substr(kPrefix.size()), names))));
  }
  return given;
}

struct Merged {
  Settings settings;
  std::vector<Mistake> mistakes;
  std::vector<std::string> warnings;
};

/// Those of the file as its lines stand, then those of the other sources as they were found.
std::vector<Mistake> in_order_of_lines(std::vector<Mistake> mistakes) {
  std::multimap<std::size_t, Mistake> sorted;
  // Line 0 is no line; one less makes it the last.
  for (Mistake& mistake : mistakes) sorted.emplace(mistake.place.line - 1, std::move(mistake));
  mistakes.clear();
  for (auto& [line, mistake] : sorted) mistakes.push_back(std::move(mistake));
  return mistakes;
}

/// The weakest source first: each overwrites what was set before it.
Merged merge(Flags flags, const std::optional<std::string>& config, const Environment& environment) {
  Merged merged;
  Places places;
  const auto apply_all = [&](const std::vector<Given>& source) {
    for (const Given& given : source) {
      apply(given, merged.settings, merged.mistakes);
      places[given.setting->name] = given.place;
    }
  };
  if (config) {
    if (const auto text = read_settings_file(*config)) {
      SettingsFile file = parse_settings_file(*text, *config);
      merged.mistakes = std::move(file.mistakes);
      merged.settings.kafka.properties = std::move(file.kafka_properties);
      merged.settings.kafka.feeds = std::move(file.kafka_feeds);
      places["kafka.feed"] = file.feeds_place;
      apply_all(file.given);
    } else {
      merged.mistakes.push_back({{*config}, text.error().what});
    }
  }
  apply_all(read_environment(environment, merged.warnings));
  std::ranges::move(flags.mistakes, std::back_inserter(merged.mistakes));
  apply_all(flags.given);
  std::ranges::move(contradictions(merged.settings, places), std::back_inserter(merged.mistakes));
  merged.mistakes = in_order_of_lines(std::move(merged.mistakes));
  // A doubt about values that stand in for wrong ones would mislead.
  if (merged.mistakes.empty()) std::ranges::move(doubts(merged.settings), std::back_inserter(merged.warnings));
  return merged;
}

std::optional<std::string> config_path(const Flags& flags, const Environment& environment) {
  if (flags.config) return flags.config;
  const auto variable = environment.find(kConfigVariable);
  return variable == environment.end() ? std::nullopt : std::optional(variable->second);
}

Exit refusal(const Merged& merged) {
  std::string lines;
  for (const Mistake& mistake : merged.mistakes) lines += mistake.text() + "\n";
  for (const std::string& warning : merged.warnings) lines += "warning: " + warning + "\n";
  return {.out = {}, .err = std::move(lines), .status = merged.mistakes.empty() ? 0 : 1};
}

Exit check_config(Merged merged, const std::optional<std::string>& config) {
  if (!config) {
    merged.mistakes.push_back({{}, "check-config needs the file to check: rillgate check-config --config FILE"});
    return refusal(merged);
  }
  Exit verdict = refusal(merged);
  if (verdict.status == 0) verdict.out = *config + " is valid\n";
  return verdict;
}

}  // namespace

Environment environment_of(const char* const* variables) {
  Environment environment;
  for (; *variables != nullptr; ++variables) {
    const std::string_view variable(*variables);
    const std::size_t equals = variable.find('=');
    if (equals != std::string_view::npos) environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  return environment;
}

std::expected<Serve, Exit> parse_command_line(Arguments arguments, const Environment& environment) {
  Flags flags = FlagReader(arguments).read();
  switch (flags.command) {
    case Command::kHelp:
      return std::unexpected(Exit{.out = help_text(), .err = {}});
    case Command::kVersion:
      return std::unexpected(Exit{.out = fmt::format("rillgate {}\n", RILLGATE_VERSION), .err = {}});
    case Command::kSettings:
      return std::unexpected(Exit{.out = settings_markdown(), .err = {}});
    case Command::kCheckConfig:
    case Command::kServe:
      break;
  }
  const Command command = flags.command;
  const auto config = config_path(flags, environment);
  Merged merged = merge(std::move(flags), config, environment);
  if (command == Command::kCheckConfig) return std::unexpected(check_config(std::move(merged), config));
  if (!merged.mistakes.empty()) return std::unexpected(refusal(merged));
  return Serve{.settings = std::move(merged.settings), .warnings = std::move(merged.warnings)};
}

std::expected<LogLevel, Error> reload_log_level(Arguments arguments, const Environment& environment) {
  Flags flags = FlagReader(arguments).read();
  const auto config = config_path(flags, environment);
  const Merged merged = merge(std::move(flags), config, environment);
  if (merged.mistakes.empty()) return merged.settings.log.level;
  std::string all;
  for (const Mistake& mistake : merged.mistakes) all += (all.empty() ? "" : "; ") + mistake.text();
  return std::unexpected(Error{std::move(all)});
}

}  // namespace rillgate::ops
