// Changes of reports a second on a DynamoDB, through the ReportStore interface: CLIENTS requests under way, of as many
// users or (--users) of fewer, whose changes then share transactions. Prints one JSON object, with the CPU that this
// process took for each change. The tables must be there; bench/run makes them.

#include <sys/resource.h>

#include <charconv>
#include <cstring>
#include <string_view>

#include "reports/dynamodb/dynamodb_store.h"
#include "store_clients.h"

namespace rillgate::bench {
namespace {

struct Settings {
  reports::DynamoDbOptions location;
  std::size_t clients = 64;
  std::size_t users = 64;
  std::chrono::milliseconds round{2000};
};

[[noreturn]] void give_up(std::string_view reason) {
  fmt::print(stderr, "dynamodb_bench: {}\n", reason);
  std::exit(1);
}

double cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

std::size_t number(std::string_view flag, std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  if (value < 1 || value > 60'000) give_up(fmt::format("{} takes a number from 1 to 60000", flag));
  return value;
}

Settings settings_of(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const std::string_view value = argv[i + 1];
    if (flag == "--endpoint") {
      settings.location.endpoint = value;
    } else if (flag == "--table-prefix") {
      settings.location.table_prefix = value;
    } else if (flag == "--clients") {
      settings.clients = number(flag, value);
    } else if (flag == "--users") {
      settings.users = number(flag, value);
    } else if (flag == "--round-ms") {
      settings.round = std::chrono::milliseconds(number(flag, value));
    } else {
      give_up("accepted: --endpoint URL, --table-prefix P, --clients N, --users N, --round-ms N");
    }
  }
  return settings;
}

void run(const Settings& settings) {
  const auto store = reports::make_dynamodb_store(settings.location, {});
  const double before = cpu_us();
  const Turn turn = measure_clients(*store, settings.clients, settings.users, settings.round);
  const double changes = turn.per_second * static_cast<double>(settings.round.count()) / 1e3;
  fmt::print("{{{},\"cpu_us\":{:.1f}}}\n", json_member("store", turn), (cpu_us() - before) / changes);
}

}  // namespace
}  // namespace rillgate::bench

int main(int argc, char** argv) {
  rillgate::bench::run(rillgate::bench::settings_of(argc, argv));
}
