#include "ops/impl/kafka_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <sstream>

#include "base/names.h"
#include "base/text.h"

namespace rillgate::ops {
namespace {

// Tables in tables are destroyed recursively; no property of librdkafka has so many dots.
constexpr std::size_t kDotsMax = 16;
constexpr std::size_t kFeedsMax = 64;
constexpr std::size_t kNamespaceBytesMax = 64;

Place place_of(const toml::node& node, const Place& table) {
  return {table.source, node.source().begin.line};
}

/// Text, a number or a switch, as it is written; nothing for what has parts.
std::optional<std::string> scalar(const toml::node& node) {
  if (node.is_table() || node.is_array()) return std::nullopt;
  if (const auto* text = node.as_string()) return text->get();
  std::ostringstream out;
  node.visit([&out](const auto& value) {
    if constexpr (toml::is_value<decltype(value)>) out << std::boolalpha << value.get();
  });
  return out.str();
}

void read_properties(const toml::table& table, const std::string& prefix, const Place& place, SettingsFile& file) {
  if (static_cast<std::size_t>(std::ranges::count(prefix, '.')) > kDotsMax) {
    file.mistakes.push_back({place, fmt::format("{} has too many dots for a property", quoted(prefix))});
    return;
  }
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    const Place at = place_of(node, place);
    if (const toml::table* const inner = node.as_table()) {
      read_properties(*inner, name + ".", at, file);
    } else if (const auto value = scalar(node); !value) {
      file.mistakes.push_back({at, fmt::format("a list is no value for {}, which takes one", quoted(name))});
    } else if (std::ranges::find(file.kafka_properties, name, &kafka::Property::first) != file.kafka_properties.end()) {
      file.mistakes.push_back({at, fmt::format("kafka.properties: {} is given twice; it takes one value", name)});
    } else if (const auto error = kafka::check({name, *value})) {
      file.mistakes.push_back({at, fmt::format("kafka.properties: {}", error->what)});
    } else {
      file.kafka_properties.emplace_back(name, *value);
    }
  }
}

bool is_pointer(std::string_view text) {
  // RFC 6901, section 3: a tilde stands before 0 or 1 only.
  for (std::size_t i = text.find('~'); i != std::string_view::npos; i = text.find('~', i + 1)) {
    if (i + 1 == text.size() || (text[i + 1] != '0' && text[i + 1] != '1')) return false;
  }
  return text.starts_with('/') && is_utf8(text);
}

struct FeedKey {
  std::string_view name;
  std::string Settings::Kafka::Feed::* member;
  bool is_needed;
  std::string_view accepts;
  bool (*is_good)(std::string_view);
};

constexpr std::array<FeedKey, 5> kFeedKeys{{
    {"topic", &Settings::Kafka::Feed::topic, true, "the name of a topic that exists", is_topic_name},
    {"namespace", &Settings::Kafka::Feed::name_space, true,
     "1 to 64 of a-z 0-9 - _; the feed is served at /feeds/NAMESPACE/sse",
     [](std::string_view text) {
       return !text.empty() && text.size() <= kNamespaceBytesMax &&
              text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string_view::npos;
     }},
    {"user", &Settings::Kafka::Feed::user, true,
     "where the username stands: prefix (up to the value's first colon), key, or a JSON pointer such as /user/id",
     [](std::string_view text) { return text == "prefix" || text == "key" || is_pointer(text); }},
    {"data", &Settings::Kafka::Feed::data, false,
     "where the message stands: value (what follows the prefix, if there is one), or a JSON pointer",
     [](std::string_view text) { return text == "value" || is_pointer(text); }},
    {"event", &Settings::Kafka::Feed::event, false,
     "the event's type: a fixed one, or a JSON pointer to it; without it, the record's header `event` says it",
     [](std::string_view text) { return text.starts_with('/') ? is_pointer(text) : !check_event_type(text); }},
}};

void read_feed(const toml::table& table, const Place& place, SettingsFile& file) {
  Settings::Kafka::Feed feed;
  const std::size_t mistakes = file.mistakes.size();
  for (const auto& [key, node] : table) {
    const Place at = place_of(node, place);
    const auto known = std::ranges::find(kFeedKeys, key.str(), &FeedKey::name);
    if (known == kFeedKeys.end()) {
      file.mistakes.push_back(
          {at, fmt::format("a feed has no key {}; it has topic, namespace, user, data and event", quoted(key.str()))});
      continue;
    }
    const toml::value<std::string>* const text = node.as_string();
    if (text != nullptr && known->is_good(text->get())) {
      feed.*known->member = text->get();
    } else {
      file.mistakes.push_back(
          {at, fmt::format("{} is no value for the feed's {}, which takes {}",
                           text == nullptr ? "what stands here" : quoted(text->get()), known->name, known->accepts)});
    }
  }
  for (const FeedKey& key : kFeedKeys) {
    if (key.is_needed && !table.contains(key.name)) {
      file.mistakes.push_back({place, fmt::format("the feed's {} is missing; it takes {}", key.name, key.accepts)});
    }
  }
  const auto twice = std::ranges::find(file.kafka_feeds, feed.name_space, &Settings::Kafka::Feed::name_space);
  if (twice != file.kafka_feeds.end()) {
    file.mistakes.push_back(
        {place, fmt::format("the namespace {} is another feed's already", quoted(feed.name_space))});
  }
  if (file.mistakes.size() == mistakes) file.kafka_feeds.push_back(std::move(feed));
}

}  // namespace

void read_kafka_properties(const toml::node& node, const Place& place, SettingsFile& file) {
  if (const toml::table* const table = node.as_table()) {
    read_properties(*table, "", place, file);
  } else {
    file.mistakes.push_back({place, "kafka.properties is a table: write [kafka.properties] and one property a line"});
  }
}

void read_kafka_feeds(const toml::node& node, const Place& place, SettingsFile& file) {
  const toml::array* const feeds = node.as_array();
  if (feeds == nullptr || !feeds->is_homogeneous<toml::table>()) {
    file.mistakes.push_back({place, "kafka.feed is a list of tables: write [[kafka.feed]] above each"});
    return;
  }
  if (feeds->size() > kFeedsMax) {
    file.mistakes.push_back(
        {place, fmt::format("there are {} feeds; at most {} are allowed", feeds->size(), kFeedsMax)});
    return;
  }
  file.feeds_place = place;
  for (const toml::node& feed : *feeds) read_feed(*feed.as_table(), place_of(feed, place), file);
}

std::string kafka_tables_markdown() {
  std::string page = R"(
## Tables of the settings file alone

`[kafka.properties]` hands properties to [librdkafka](https://github.com/confluentinc/librdkafka/blob/v2.0.2/CONFIGURATION.md),
named as its documentation names them, so clusters with TLS and SASL work:

```toml
[kafka.properties]
security.protocol = "SASL_SSL"
sasl.mechanism = "SCRAM-SHA-512"
sasl.username = "rillgate"
```

Each `[[kafka.feed]]` serves one more topic, which must exist, at `/feeds/NAMESPACE/sse?username=NAME`:

```toml
[[kafka.feed]]
topic = "orders"
namespace = "orders"
user = "/customer/id"
data = "value"
event = "/type"
```

| key | needed | takes |
|---|---|---|
)";
  for (const FeedKey& key : kFeedKeys) {
    page += fmt::format("| `{}` | {} | {} |\n", key.name, key.is_needed ? "yes" : "no", key.accepts);
  }
  return page;
}

}  // namespace rillgate::ops
