// From what the operator typed, exported and wrote in a file to the Settings that hold. Each setting has one name:
// `a.b-c` is the flag `--a.b-c VALUE`, the variable `RILLGATE_A_B_C`, and the key `b-c` of the table [a] in the file
// that `--config FILE` names; the flag beats the variable, which beats the file. All mistakes are told at once, each
// with its place, so that a file is mended in one go. Arguments and environment are handed in; only the named file is
// read.
#pragma once

#include <expected>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/settings.h"

namespace rillgate::ops {

using Arguments = std::span<const char* const>;  // without the program's name
using Environment = std::map<std::string, std::string, std::less<>>;

/// `variables` is a list of NAME=VALUE that ends with a null pointer, as `environ` is.
[[nodiscard]] Environment environment_of(const char* const* variables);

/// The command is to serve. `warnings` are one line each, to be logged once there is a log.
struct Serve {
  Settings settings;
  std::vector<std::string> warnings;
};

/// Everything else (help, version, check-config, mistakes): print this, each text ending with a newline unless empty,
/// and exit with `status`.
struct Exit {
  std::string out;
  std::string err;
  int status = 0;
};

/// The commands: `serve [FLAGS]`, which may be left out; `check-config --config FILE [FLAGS]`, which judges what
/// `serve` would run with; `settings`, the reference in Markdown; `--version`; `--help`.
[[nodiscard]] std::expected<Serve, Exit> parse_command_line(Arguments arguments, const Environment& environment);

/// What `log.level` is by now: the same sources in the same order, the file read again. Any mistake in them is an
/// error, and the level should then stay as it is.
[[nodiscard]] std::expected<LogLevel, Error> reload_log_level(Arguments arguments, const Environment& environment);

/// The text of docs/settings.md.
[[nodiscard]] std::string settings_markdown();

}  // namespace rillgate::ops
