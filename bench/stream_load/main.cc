// One scenario against one server, which runs already; prints one JSON object. bench/run starts both.
//
//   stream_load SCENARIO --port N --pid N [--NAME VALUE…]
#include <fmt/format.h>
#include <sys/resource.h>

#include <charconv>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "load.h"
#include "processes.h"

namespace rillgate::bench {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
/// After the last stream has opened, until memory and processor are quiet.
constexpr std::uint64_t kSettle = 500 * kMillisecond;

[[noreturn]] void give_up(std::string_view reason) {
  fmt::print(stderr, "stream_load: {}\n", reason);
  std::exit(1);
}

/// What the command line says, by name, over the defaults.
class Arguments {
 public:
  Arguments(int count, char** words) {
    for (int i = 2; i + 1 < count; i += 2) {
      const std::string_view name = words[i];
      if (!name.starts_with("--") || !values_.contains(name.substr(2))) give_up(fmt::format("what is {}?", name));
      values_.find(name.substr(2))->second = words[i + 1];
    }
    if (count % 2 != 0) give_up("each --NAME takes a VALUE");
  }

  [[nodiscard]] const std::string& text(std::string_view name) const { return values_.find(name)->second; }
  [[nodiscard]] std::uint64_t number(std::string_view name) const {
    const std::string& value = text(name);
    std::uint64_t result = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc{} || stop != value.data() + value.size()) give_up(fmt::format("--{} is a number", name));
    return result;
  }

 private:
  std::map<std::string, std::string, std::less<>> values_{{"port", ""},
                                                          {"publish-port", "0"},
                                                          {"pid", ""},
                                                          {"streams", "1000"},
                                                          {"connecting", "256"},
                                                          {"publishers", "16"},
                                                          {"under-way", "0"},
                                                          {"per-second", "0"},
                                                          {"warm-up-ms", "500"},
                                                          {"measured-ms", "2000"},
                                                          {"stream-path", "/v2/sse?username=u{i}"},
                                                          {"publish-path", "/v2/message?username=u{i}"},
                                                          {"publish-field", ""},
                                                          {"publish-body", "{m}"}};
};

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

double micros(std::uint64_t nanoseconds, std::uint64_t times) {
  return times == 0 ? 0 : static_cast<double>(nanoseconds) / 1e3 / static_cast<double>(times);
}
double seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

class Scenario {
 public:
  explicit Scenario(const Arguments& arguments)
      : arguments_(arguments),
        server_(static_cast<int>(arguments.number("pid"))),
        streams_(arguments.number("streams")),
        connecting_(arguments.number("connecting")),
        load_(speech(arguments)) {}

  void idle() {
    const std::uint64_t memory = server_.resident_bytes();
    const std::uint64_t cpu = server_.cpu_ns();
    load_.open(streams_, connecting_);
    const std::uint64_t opened = server_.cpu_ns();
    load_.idle(kSettle);
    const std::uint64_t with_streams = server_.resident_bytes();
    fmt::print(
        R"({{"kib_per_stream":{:.3f},"cpu_us_per_connect":{:.2f}}})",
        static_cast<double>(with_streams - std::min(memory, with_streams)) / 1024 / static_cast<double>(streams_),
        micros(opened - cpu, streams_));
  }

  void messages(Traffic::To to) {
    load_.open(streams_, connecting_);
    load_.connect_publishers(arguments_.number("publishers"));
    load_.idle(kSettle);
    print(measure(traffic(to)), "");
  }

  /// Everybody is cut off at once and comes back at once.
  void storm() {
    load_.open(streams_, connecting_);
    load_.idle(kSettle);
    const std::uint64_t before = server_.cpu_ns();
    load_.close_streams();
    const std::uint64_t took = load_.open(streams_, streams_);
    fmt::print(R"({{"seconds":{:.3f},"cpu_us_per_reconnect":{:.2f}}})", seconds(took),
               micros(server_.cpu_ns() - before, streams_));
  }

  /// The same traffic without and with one reader that never reads, to which every second message goes.
  void slow() {
    load_.open(streams_, connecting_);
    load_.connect_publishers(arguments_.number("publishers"));
    load_.idle(kSettle);
    Traffic asked = traffic(Traffic::To::kOne);
    const Measured without = measure(asked);
    load_.open_stalled();
    asked.stalled_share = 50;
    const Measured with = measure(asked);
    print(with, fmt::format(R"(,"p99_ms_without":{:.3f})", without.outcome.latency.quantile_ms(0.99)));
  }

 private:
  struct Measured {
    Outcome outcome;
    std::uint64_t cpu_ns = 0;
  };

  static Speech speech(const Arguments& arguments) {
    const auto port = static_cast<std::uint16_t>(arguments.number("port"));
    const auto publish_port = static_cast<std::uint16_t>(arguments.number("publish-port"));
    const std::string& field = arguments.text("publish-field");
    return {.port = port,
            .publish_port = publish_port == 0 ? port : publish_port,
            .stream_path = arguments.text("stream-path"),
            .publish_path = arguments.text("publish-path"),
            .publish_fields = field.empty() ? "" : field + "\r\n",
            .publish_body = arguments.text("publish-body")};
  }

  [[nodiscard]] Traffic traffic(Traffic::To to) const {
    return {.to = to,
            .streams = streams_,
            .per_second = static_cast<double>(arguments_.number("per-second")),
            .under_way = arguments_.number("under-way"),
            .warm_up_ns = arguments_.number("warm-up-ms") * kMillisecond,
            .measured_ns = arguments_.number("measured-ms") * kMillisecond};
  }

  Measured measure(const Traffic& traffic) {
    std::uint64_t begun = 0;
    std::uint64_t ended = 0;
    Measured measured;
    measured.outcome = load_.run(traffic, [&] { begun = server_.cpu_ns(); }, [&] { ended = server_.cpu_ns(); });
    measured.cpu_ns = ended - begun;
    return measured;
  }

  static void print(const Measured& measured, std::string_view more) {
    const Outcome& outcome = measured.outcome;
    fmt::print(
        R"({{"published_per_s":{:.0f},"delivered_per_s":{:.0f},"cpu_us_per_event":{:.3f},"p50_ms":{:.3f},"p99_ms":{:.3f},)"
        R"("lost":{},"refused":{},"ended_streams":{},"stuck_publishers":{}{}}})",
        static_cast<double>(outcome.published) / seconds(outcome.wall_ns),
        static_cast<double>(outcome.delivered) / seconds(outcome.wall_ns), micros(measured.cpu_ns, outcome.delivered),
        outcome.latency.quantile_ms(0.5), outcome.latency.quantile_ms(0.99), outcome.lost, outcome.refused,
        outcome.ended_streams, outcome.stuck_publishers, more);
  }

  const Arguments& arguments_;
  const Processes server_;
  const std::size_t streams_;
  const std::size_t connecting_;  // at once, while a scenario prepares itself: below any listener's backlog
  Load load_;
};

int run(int count, char** words) {
  const std::map<std::string_view, void (*)(Scenario&)> scenarios{
      {"idle", [](Scenario& scenario) { scenario.idle(); }},
      {"unicast", [](Scenario& scenario) { scenario.messages(Traffic::To::kOne); }},
      {"broadcast", [](Scenario& scenario) { scenario.messages(Traffic::To::kAll); }},
      {"storm", [](Scenario& scenario) { scenario.storm(); }},
      {"slow", [](Scenario& scenario) { scenario.slow(); }}};
  const auto chosen = scenarios.find(count > 1 ? words[1] : "");
  if (chosen == scenarios.end()) give_up("name a scenario: idle, unicast, broadcast, storm or slow");
  const Arguments arguments(count, words);
  raise_descriptor_limit();
  Scenario scenario(arguments);
  chosen->second(scenario);
  fmt::print("\n");
  return 0;
}

}  // namespace
}  // namespace rillgate::bench

int main(int count, char** words) {
  return rillgate::bench::run(count, words);
}
