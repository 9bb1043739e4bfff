#include "ops/impl/reference.h"

#include <fmt/format.h>

#include <string_view>

#include "ops/command_line.h"
#include "ops/impl/declarations.h"
#include "ops/impl/kafka_tables.h"

namespace rillgate::ops {
namespace {

constexpr std::string_view kUsage =
    R"(Rillgate {version}: takes messages in and streams them to browsers as server-sent events.

Usage:
  rillgate [serve] [--config FILE] [FLAGS]     serve until SIGTERM or SIGINT
  rillgate check-config --config FILE [FLAGS]  name each mistake in the settings with its line, and exit
  rillgate settings                            print the reference of all settings in Markdown
  rillgate --version
  rillgate --help

A setting a.b-c is the flag --a.b-c VALUE, the environment variable RILLGATE_A_B_C, and the key b-c in the table [a] of
the TOML file that --config (or RILLGATE_CONFIG) names. The flag beats the variable, the variable beats the file.

Settings:
  --config FILE
        the settings file
)";

constexpr std::string_view kPage = R"(# Settings

<!-- Made by `rillgate settings` from src/ops/impl/declarations.cc; a test holds this page to it. -->

Each setting has one name. `a.b-c` is

- the flag `--a.b-c VALUE` or `--a.b-c=VALUE`,
- the environment variable `RILLGATE_A_B_C`,
- the key `b-c` of the table `[a]` in the TOML file that `--config FILE` (or `RILLGATE_CONFIG`) names; a name without a
  dot stands above the first table.

The flag beats the variable, the variable beats the file; a list is replaced, not added to. In the file, text, durations
and sizes stand in quotes:

```toml
listen = ["127.0.0.1:3000", "[::1]:3000"]

[history]
size = 10000
ttl = "5m"
memory = "256MiB"
```

- Durations are whole numbers with `ms`, `s`, `m`, `h` or `d`.
- Sizes are whole numbers with `B`, `KiB`, `MiB`, `GiB` or `TiB`; without a unit they are bytes.
- Switches are `on` or `off`, or `true` or `false`; a switch's flag may stand alone and then means `on`.
- Lists: repeat the flag, or separate the values by commas; in the file, an array.

`rillgate check-config --config FILE` names each mistake with its line. An unknown key or flag is a mistake, an unknown
variable that begins with `RILLGATE_` a warning (`RILLGATE_URL` and `RILLGATE_TOKEN` belong to the scripts).

As long as clients need no token, `listen` takes loopback addresses only, unless `insecure-no-auth` is on. This does not
bind `admin.listen`: its routes never ask for a token, so let a firewall decide who reaches it. SIGHUP reads `log.level`
again.
)";

}  // namespace

std::string help_text() {
  std::string text = fmt::format(fmt::runtime(kUsage), fmt::arg("version", RILLGATE_VERSION));
  for (const Setting& setting : declared_settings()) {
    text += fmt::format("  {} {}\n        {}\n        takes {}; default {}\n", setting.flag(), setting.placeholder,
                        setting.help, setting.accepts, setting.default_text);
  }
  return text;
}

std::string settings_markdown() {
  std::string page(kPage);
  std::string_view table = "-";
  for (const Setting& setting : declared_settings()) {
    if (setting.table() != table) {
      table = setting.table();
      page += fmt::format("\n## {}\n\n| setting | default | takes | what it is |\n|---|---|---|---|\n",
                          table.empty() ? "General" : table);
    }
    page +=
        fmt::format("| `{}` | `{}` | {} | {} |\n", setting.name, setting.default_text, setting.accepts, setting.help);
  }
  return page + kafka_tables_markdown();
}

}  // namespace rillgate::ops
