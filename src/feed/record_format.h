// From a Kafka record to a user's event: where in the record user, message and type stand, and what makes a record
// unreadable.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "kafka/record.h"
#include "sse/encode.h"

namespace rillgate::feed {

/// Why a record is no event; also the label `reason` of rillgate_dead_letters_total.
enum class Unreadable : std::uint8_t {
  kNoValue,
  kNoKey,
  kNoColon,
  kBadUser,
  kBadType,
  kNotUtf8,
  kTooLarge,
  kNotJson,
  kNoMember,
  kBadUpdate,      // of a report: the record does not say what to change
  kRefusedUpdate,  // of a report: the change is not allowed
};
inline constexpr std::size_t kUnreadables = 11;
[[nodiscard]] std::string_view label(Unreadable why);

struct BadRecord {
  Unreadable why;
  std::string what;  // a sentence for whoever finds the dead letter
};

/// Where each part of the event stands. A JSON pointer (RFC 6901) leads into the value, which then is JSON; what it
/// leads to is taken as it is when it is a string, and else as its JSON text.
struct RecordFormat {
  std::string user = "prefix";  // `prefix` (up to the value's first colon), `key`, or a JSON pointer
  std::string data = "value";   // `value` (without the prefix), or a JSON pointer
  std::string event = {};       // a fixed type, a JSON pointer, or empty: what the record's header `event` says
  std::uint64_t data_bytes_max = 64 << 10;
};

/// `*` stands for every user.
struct UserEvent {
  std::string_view user;
  sse::EventText text;
};

/// Reads records of one format. One thread.
class RecordParser {
 public:
  explicit RecordParser(RecordFormat format);
  ~RecordParser();

  /// The views live until the next call, and as long as the record.
  [[nodiscard]] std::expected<UserEvent, BadRecord> parse(const kafka::Record& record);

 private:
  class Json;
  const RecordFormat format_;
  const bool needs_json_;
  std::unique_ptr<Json> json_;
};

}  // namespace rillgate::feed
