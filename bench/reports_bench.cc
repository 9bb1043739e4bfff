// Durable changes a second on SQLite, in three ways that take turns:
//   store   through the ReportStore interface, CLIENTS requests under way (each client asks again when it is answered)
//   single  the same statements, one transaction for each change: what group commit is measured against
//   limit   4 KiB written and synced, over and over: what the disk can do, and no store can do more transactions
// Prints a table, or one JSON object with --json. The directory must lie on the disk that is asked about; on a tmpfs a
// sync costs nothing and the figures mean nothing.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/sqlite/impl/database.h"
#include "reports/sqlite/impl/schema.h"
#include "reports/sqlite/impl/tables.h"
#include "reports/sqlite/sqlite_store.h"
#include "store_clients.h"
#include "turn.h"

namespace rillgate::reports {
namespace {

using bench::measure_clients;
using bench::ms_since;
using bench::next_change;
using bench::SteadyClock;
using bench::summary;
using bench::Turn;
using bench::user_number;

struct Settings {
  std::filesystem::path directory = ".";
  std::size_t clients = 64;
  std::chrono::milliseconds round{1000};
  int rounds = 5;
  bool as_json = false;
};

[[noreturn]] void give_up(const std::string& reason) {
  fmt::print(stderr, "reports_bench: {}\n", reason);
  std::exit(1);
}

Turn measure_store(const Settings& settings, const std::filesystem::path& file) {
  auto store = open_sqlite_store(file, {});
  if (!store) give_up(store.error().what);
  return measure_clients(**store, settings.clients, settings.clients, settings.round);
}

Turn measure_single(const Settings& settings, const std::filesystem::path& file) {
  auto database = impl::Database::open(file);
  if (!database || !impl::prepare_schema(*database, impl::migrations())) give_up("cannot open " + file.string());
  impl::Statement begin_transaction(*database, "BEGIN IMMEDIATE");
  impl::Statement commit(*database, "COMMIT");
  impl::WriteTables tables(*database, wall_clock_now);

  std::vector<Report> reports;
  reports.reserve(settings.clients);
  for (std::size_t n = 0; n < settings.clients; ++n) reports.push_back(tables.create(user_number(n), {})->report);
  std::vector<double> latencies_ms;
  const auto begin = SteadyClock::now();
  for (std::size_t n = 0; SteadyClock::now() < begin + settings.round; n = (n + 1) % reports.size()) {
    const auto asked = SteadyClock::now();
    begin_transaction.execute();
    const auto change = tables.change(next_change(reports[n]));
    commit.execute();
    latencies_ms.push_back(ms_since(asked));
    if (!change || database->failed()) give_up("a change failed");
    reports[n] = change->report;
    database->checkpoint_if_due();
  }
  return summary(latencies_ms, SteadyClock::now() - begin);
}

Turn measure_limit(const Settings& settings, const std::filesystem::path& file) {
  // As large as SQLite's log and written before, so that a sync has no new blocks to note.
  constexpr std::size_t kBlock = 4096;
  constexpr std::size_t kBlocks = impl::Database::kLogPages;
  const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::vector<char> block(kBlock, 'x');
  const auto write_block = [&](std::size_t n) {
    if (pwrite(descriptor, block.data(), kBlock, static_cast<off_t>(n * kBlock)) != ssize_t{kBlock}) {
      give_up("cannot write " + file.string());
    }
  };
  for (std::size_t n = 0; n < kBlocks; ++n) write_block(n);
  fsync(descriptor);

  std::vector<double> latencies_ms;
  const auto begin = SteadyClock::now();
  for (std::size_t n = 0; SteadyClock::now() < begin + settings.round; n = (n + 1) % kBlocks) {
    const auto asked = SteadyClock::now();
    write_block(n);
    if (fdatasync(descriptor) != 0) give_up("cannot sync " + file.string());
    latencies_ms.push_back(ms_since(asked));
  }
  close(descriptor);
  return summary(latencies_ms, SteadyClock::now() - begin);
}

/// Each figure's median over the turns.
Turn median(const std::vector<Turn>& turns) {
  const auto of = [&turns](double Turn::* figure) {
    std::vector<double> values;
    values.reserve(turns.size());
    for (const Turn& turn : turns) values.push_back(turn.*figure);
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
    return values[values.size() / 2];
  };
  return {of(&Turn::per_second), of(&Turn::p50_ms), of(&Turn::p99_ms)};
}

struct Way {
  std::string_view name;
  Turn (*measure)(const Settings&, const std::filesystem::path&);
  std::vector<Turn> turns;
};

void run(const Settings& settings) {
  std::string directory = (settings.directory / "reports-bench-XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) give_up("cannot write to " + settings.directory.string());

  std::array ways{Way{"store", measure_store, {}}, Way{"single", measure_single, {}}, Way{"limit", measure_limit, {}}};
  for (int round = 0; round < settings.rounds; ++round) {
    for (Way& way : ways) way.turns.push_back(way.measure(settings, std::filesystem::path(directory) / way.name));
    std::ranges::reverse(ways);  // A B C, C B A: what warms up or fills over time strikes all alike
  }
  std::filesystem::remove_all(directory);

  std::ranges::sort(ways, std::ranges::greater{}, &Way::name);  // store, single, limit
  std::string json;
  if (!settings.as_json) fmt::print("{:8} {:>12} {:>10} {:>10}\n", "", "per second", "p50 ms", "p99 ms");
  for (const Way& way : ways) {
    const Turn turn = median(way.turns);
    if (!settings.as_json) {
      fmt::print("{:8} {:>12.0f} {:>10.3f} {:>10.3f}\n", way.name, turn.per_second, turn.p50_ms, turn.p99_ms);
    }
    json += bench::json_member(way.name, turn) + ',';
  }
  const auto per_second = [&](std::size_t way) { return median(ways[way].turns).per_second; };
  const double to_single = per_second(0) / per_second(1);
  const double to_limit = per_second(0) / per_second(2);
  if (settings.as_json) {
    fmt::print("{{{}\"clients\":{},\"store_to_single\":{:.2f},\"store_to_limit\":{:.2f}}}\n", json, settings.clients,
               to_single, to_limit);
  } else {
    fmt::print(
        "{} clients: {:.1f} times as many changes as with one transaction each, {:.1f} for each sync of the limit\n",
        settings.clients, to_single, to_limit);
  }
}

Settings settings_of(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto value = [&] {
      return i + 1 < argc ? std::string(argv[++i]) : (give_up(std::string(flag) + " lacks its value"), "");
    };
    const auto number = [&] {
      const int n = std::atoi(value().c_str());
      if (n < 1 || n > 60'000) give_up(std::string(flag) + " takes a number from 1 to 60000");
      return n;
    };
    if (flag == "--directory")
      settings.directory = value();
    else if (flag == "--clients")
      settings.clients = static_cast<std::size_t>(number());
    else if (flag == "--round-ms")
      settings.round = std::chrono::milliseconds(number());
    else if (flag == "--rounds")
      settings.rounds = number();
    else if (flag == "--json")
      settings.as_json = true;
    else
      give_up("accepted: --directory DIR, --clients N, --round-ms N, --rounds N, --json");
  }
  if (settings.clients > StoreOptions::kWaitingMax) give_up("--clients takes at most what may wait in the store");
  return settings;
}

}  // namespace
}  // namespace rillgate::reports

int main(int argc, char** argv) {
  rillgate::reports::run(rillgate::reports::settings_of(argc, argv));
}
