#include "ops/impl/settings_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "ops/impl/kafka_tables.h"

namespace rillgate::ops {
namespace {

// Each costs a pass over the file; past this many the file is no settings file.
constexpr int kSyntaxMistakesMax = 20;
constexpr std::size_t kFileBytesMax = 64 << 10;
// Each dot of a key is a table in a table, and their destruction is recursive.
constexpr std::size_t kLineBytesMax = 4096;

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (std::istringstream rest{std::string(text)}; std::getline(rest, lines.emplace_back());) {
  }
  return lines;
}

bool is_table_header(std::string_view line) {
  return trimmed(line).starts_with('[');
}

/// Empties line `number` (from 1), so that all others keep theirs. After a table's header the lines of that table go
/// with it, for they would be read as another table's. False when there was nothing to empty.
bool take_out(std::vector<std::string>& lines, std::size_t number) {
  if (number == 0 || number > lines.size() || lines[number - 1].empty()) return false;
  auto line = lines.begin() + static_cast<std::ptrdiff_t>(number - 1);
  const bool is_header = is_table_header(*line);
  do {
    line++->clear();
  } while (is_header && line != lines.end() && !is_table_header(*line));
  return true;
}

/// A parser's own words may quote the file; they must not break our line.
std::string on_one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return line;
}

toml::table parse_toml(std::vector<std::string> lines, const std::string& name, std::vector<Mistake>& mistakes) {
  bool was_in_array = false;
  for (int round = 0; round < kSyntaxMistakesMax; ++round) {
    try {
      return toml::parse(fmt::format("{}", fmt::join(lines, "\n")));
    } catch (const toml::parse_error& error) {
      const std::string what = on_one_line(error.description());
      // An array that was left open takes all that follows for its elements, and would be blamed on every line.
      const bool is_in_array = what.contains("parsing array");
      if (is_in_array && was_in_array) break;
      was_in_array = is_in_array;
      const std::size_t line = error.source().begin.line;
      mistakes.push_back(
          {{name, line}, "not TOML: " + what + " (a line is NAME = VALUE; text, durations and sizes stand in quotes)"});
      if (!take_out(lines, line)) break;
    }
  }
  return {};
}

Given::Value value_of(const toml::node& node, const Place& place) {
  if (node.is_table()) return {"a table", place, false};
  if (node.is_array()) return {"a list", place, false};
  if (const auto* text = node.as_string()) return {text->get(), place};
  // Numbers, switches, dates: as they are written, for the setting to accept or to refuse.
  std::ostringstream out;
  node.visit([&out](const auto& value) {
    if constexpr (toml::is_value<decltype(value)>) out << std::boolalpha << value.get();
  });
  return {out.str(), place};
}

class Reader {
 public:
  Reader(const std::string& name, SettingsFile& file) : name_(name), file_(file) {
    for (const Setting& setting : declared_settings()) {
      names_.push_back(setting.name);
      if (!setting.table().empty()) tables_.emplace_back(setting.table());
    }
  }

  /// `path` is empty or ends with a dot. Goes no deeper than the declared tables do.
  void read_table(const toml::table& table, const std::string& path) {
    for (const auto& [key, node] : table) {
      const std::string name = path + std::string(key.str());
      const Place place{name_, key.source().begin.line};
      const Setting* const setting = find_setting(name);
      if (setting != nullptr) {
        read_setting(*setting, node, place);
      } else if (name == "kafka.properties") {
        read_kafka_properties(node, place, file_);
      } else if (name == "kafka.feed") {
        read_kafka_feeds(node, place, file_);
      } else if (!node.is_table()) {
        add_mistake(
            place, fmt::format("there is no setting {}{}", quoted(name), did_you_mean("", nearest_name(name, names_))));
      } else if (std::ranges::find(tables_, name) != tables_.end()) {
        read_table(*node.as_table(), name + ".");
      } else {
        const std::string nearest = nearest_name(name, tables_);
        add_mistake(place, fmt::format("there is no table {}{}", quoted(name), did_you_mean("", nearest)));
      }
    }
  }

 private:
  void read_setting(const Setting& setting, const toml::node& node, const Place& place) {
    Given given{&setting, place, {}};
    if (const toml::array* elements = node.as_array(); elements != nullptr && setting.is_list) {
      for (const toml::node& element : *elements) {
        given.values.push_back(value_of(element, {name_, element.source().begin.line}));
      }
    } else {
      given.values.push_back(value_of(node, place));
    }
    file_.given.push_back(std::move(given));
  }

  void add_mistake(const Place& place, std::string what) { file_.mistakes.push_back({place, std::move(what)}); }

  const std::string& name_;
  SettingsFile& file_;
  std::vector<std::string> names_;
  std::vector<std::string> tables_;
};

}  // namespace

SettingsFile parse_settings_file(std::string_view text, const std::string& name) {
  SettingsFile file;
  std::vector<std::string> lines = lines_of(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].size() <= kLineBytesMax) continue;
    file.mistakes.push_back({{name, i + 1}, fmt::format("the line has more than {} bytes", kLineBytesMax)});
    take_out(lines, i + 1);
  }
  const toml::table table = parse_toml(std::move(lines), name, file.mistakes);
  Reader(name, file).read_table(table, "");
  return file;
}

std::expected<std::string, Error> read_settings_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  std::string text(kFileBytesMax + 1, '\0');
  if (file != nullptr) text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (file == nullptr || std::ferror(file.get()) != 0) {
    return std::unexpected(Error{fmt::format("the settings file cannot be read: {}", std::strerror(errno))});
  }
  if (text.size() > kFileBytesMax) {
    return std::unexpected(Error{fmt::format("the settings file has more than {} bytes", kFileBytesMax)});
  }
  return text;
}

}  // namespace rillgate::ops
