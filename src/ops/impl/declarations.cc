#include "ops/impl/declarations.h"

#include <algorithm>
#include <iterator>

#include "ops/impl/kinds.h"

namespace rillgate::ops {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr std::uint64_t kKiB = 1ull << 10;
constexpr std::uint64_t kGiB = 1ull << 30;
constexpr std::uint64_t kTiB = 1ull << 40;
constexpr auto kDay = 24h;

template <class T>
void clear_list(T&) {}
template <class T>
void clear_list(std::vector<T>& list) {
  list.clear();
}

template <class T>
Setting declare(std::string_view member, const Kind<T>& kind, T& (*at)(Settings&), std::string_view help) {
  Setting setting{
      .name = std::string(member),
      .help = std::string(help),
      .placeholder = kind.placeholder,
      .accepts = kind.accepts,
      .default_text = {},
      .is_list = kind.is_list,
      .is_switch = kind.is_switch,
      .read = [read = kind.read, at](Settings& settings, std::string_view text) { return read(text, at(settings)); },
      .clear = [at](Settings& settings) { clear_list(at(settings)); }};
  std::ranges::replace(setting.name, '_', '-');
  Settings defaults;
  setting.default_text = kind.show(at(defaults));
  return setting;
}

// A macro, since only the preprocessor can make a name of a member: so the two cannot differ.
#define SETTING(member, kind, help) declare(#member, kind, +[](Settings& s) -> auto& { return s.member; }, help)

std::vector<Setting> declare_all() {
  const std::vector<std::pair<std::string, LogLevel>> levels{{"trace", LogLevel::kTrace},
                                                             {"debug", LogLevel::kDebug},
                                                             {"info", LogLevel::kInfo},
                                                             {"warn", LogLevel::kWarn},
                                                             {"error", LogLevel::kError}};
  const std::vector<std::pair<std::string, LogFormat>> formats{{"text", LogFormat::kText}, {"json", LogFormat::kJson}};
  // clang-format off
  return {
      SETTING(listen, addresses(), "where clients connect; may be given several times"),
      SETTING(threads, count({0, 256}), "reactor threads; 0 is one per core"),
      SETTING(store, store_location(), "where reports are kept: in memory (they end with the process), in an SQLite file, or in DynamoDB (several nodes)"),
      SETTING(insecure_no_auth, on_off(), "allow `listen` on an address that other machines reach although no client has to prove who it is"),

      SETTING(admin.listen, address(), "moves /healthz, /readyz and /metrics here, off the clients' addresses"),

      SETTING(v1.period, duration({10ms, kDay}), "time between two greetings of /v1/sse"),
      SETTING(v1.keepalive, duration({10ms, kDay}), "time between two comments of /v1/sse"),

      SETTING(keepalive.interval, duration({10ms, 1h}), "a stream that was silent for this long is sent a comment"),
      SETTING(keepalive.text, comment_text(), "the text of that comment"),

      SETTING(stream.retry, duration({1ms, 1h}), "what a client that lost its stream waits before it returns, each by a random share up to 50 % more or less"),
      SETTING(stream.buffer, size({4 * kKiB, kGiB}), "how much may wait for a slow reader before its stream is closed"),

      SETTING(history.size, count({0, 1'000'000'000}), "events kept for each user"),
      SETTING(history.bytes, size({0, kTiB}), "bytes of events kept for each user"),
      SETTING(history.ttl, duration({1ms, 365 * kDay}), "how long an event is kept"),
      SETTING(history.memory, size({4 * kKiB, 64 * kTiB}), "bytes of events kept for all users together"),

      SETTING(kafka.brokers, brokers(), "the Kafka cluster that V3 and the feeds are read from (the flag may also be --kafka); none keeps V3 inside the process"),
      SETTING(kafka.v3_topic, topic(), "the topic of V3, USERNAME:MESSAGE a record"),
      SETTING(kafka.v4_updates_topic, topic(), "the topic by which workers change reports, {\"userId\":…,\"id\":…,\"status\":…} a record"),
      SETTING(kafka.v4_events_topic, topic(), "the topic by which the nodes tell each other of changed reports"),
      SETTING(kafka.dead_letter_suffix, topic_suffix(), "what is put behind a topic's name for the topic of its unreadable records"),
      SETTING(kafka.group, group_name(), "the consumer group by which the nodes share out what is to be done once"),
      SETTING(kafka.create_topics, on_off(), "make the topics of V3 and V4 and the dead-letter topics when they are missing"),

      SETTING(reports.keep, duration({0ms, 36'500 * kDay}), "how long the events of a report are kept; 0 is for good"),
      SETTING(reports.recheck, duration({10ms, kDay}), "how often the reports of connected users are looked up in case a notice was lost"),

      SETTING(dynamodb.endpoint, endpoint(), "where DynamoDB is, unless it is AWS's; DynamoDB Local is at http://localhost:8000"),
      SETTING(dynamodb.region, region(), "the AWS region of the tables"),
      SETTING(dynamodb.table_prefix, table_prefix(), "stands in front of the tables' names"),

      SETTING(drain.delay, duration({0ms, 1h}), "after SIGTERM: time for load balancers to see that /readyz says no, before streams end"),
      SETTING(drain.period, duration({0ms, 1h}), "after SIGTERM: the time over which the ends of streams are spread"),

      SETTING(cors.origins, origins(), "web origins whose pages may use this server; may be given several times"),

      SETTING(limits.body, size({1, kGiB}), "largest body of a request"),
      SETTING(limits.streams, count({1, 100'000'000}), "open streams in all"),
      SETTING(limits.streams_per_user, count({0, 100'000'000}), "open streams of one user; 0 is no limit"),
      SETTING(limits.streams_per_address, count({0, 100'000'000}), "open streams from one IP address; 0 is no limit"),
      SETTING(limits.requests_per_address, count({0, 100'000'000}), "requests a second from one IP address; 0 is no limit"),
      SETTING(limits.queued_bytes, size({4 * kKiB, 64 * kTiB}), "how much may wait for all slow readers together"),
      SETTING(limits.trusted_proxies, networks(), "proxies whose X-Forwarded-For is believed; may be given several times"),

      SETTING(timeouts.head, duration({10ms, 1h}), "a request's head, and a TLS handshake, must be whole by then"),
      SETTING(timeouts.body, duration({10ms, 1h}), "a request's body must be whole by then"),
      SETTING(timeouts.idle, duration({10ms, 1h}), "a connection without a request is closed after this"),

      SETTING(web.root, folder("the built front end"), "what is served at /: a folder with an index.html"),

      SETTING(log.level, choice(levels), "the least important lines that are written; read again on SIGHUP"),
      SETTING(log.format, choice(formats), "text for people, json for programs"),
  };
  // clang-format on
}

#undef SETTING

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string_view without_table(std::string_view name) {
  const std::size_t dot = name.find('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

}  // namespace

std::string Setting::flag() const {
  return "--" + name;
}

std::string Setting::variable() const {
  std::string variable = "RILLGATE_";
  std::ranges::transform(name, std::back_inserter(variable), [](char c) {
    return c == '.' || c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  });
  return variable;
}

std::string_view Setting::table() const {
  const std::size_t dot = name.find('.');
  return dot == std::string::npos ? std::string_view{} : std::string_view(name).substr(0, dot);
}

std::span<const Setting> declared_settings() {
  static const std::vector<Setting> kSettings = declare_all();
  return kSettings;
}

const Setting* find_setting(std::string_view name) {
  const auto settings = declared_settings();
  const auto found = std::ranges::find(settings, name, &Setting::name);
  return found == settings.end() ? nullptr : &*found;
}

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  // Names are short; a key of megabytes in a file is no slip of the finger, and the distance is quadratic.
  static constexpr std::size_t kNameBytesMax = 100;
  if (name.empty() || name.size() > kNameBytesMax) return {};
  std::string best;
  std::size_t best_distance = std::min(std::max<std::size_t>(2, name.size() / 3) + 1, name.size());
  for (const std::string& candidate : candidates) {
    std::size_t distance = edit_distance(name, candidate);
    if (!name.contains('.')) distance = std::min(distance, edit_distance(name, without_table(candidate)));
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string did_you_mean(std::string_view prefix, const std::string& nearest) {
  return nearest.empty() ? std::string{} : " (did you mean " + std::string(prefix) + nearest + "?)";
}

}  // namespace rillgate::ops
