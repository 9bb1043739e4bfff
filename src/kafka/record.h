// One record of a topic, as it was read or is to be written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rillgate::kafka {

/// Where a record lies. Partitions and offsets count from 0.
struct Place {
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
};

/// A record that was read. The views live as long as the call that hands it over.
class Record {
 public:
  Place place;
  std::optional<std::string_view> key;    // nothing: null
  std::optional<std::string_view> value;  // nothing: null
  std::int64_t timestamp_ms = 0;          // since 1970; 0 when it has none

  /// The value of the last header of that name; nothing when there is none, or it is null.
  [[nodiscard]] std::optional<std::string_view> header(const char* name) const;

  /// `handle` may be null: a record without headers.
  explicit Record(const void* handle) : handle_(handle) {}

 private:
  const void* handle_;  // librdkafka's message
};

struct Message {
  std::string topic;
  std::optional<std::string> key = {};
  std::optional<std::string> value = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

}  // namespace rillgate::kafka
