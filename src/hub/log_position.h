// Where a reader stands in a partitioned log, and how that is written as an SSE id.
//
// A hub whose events come from such a log (a Kafka topic) can't number them: each node reads the partitions in an order
// of its own. What is the same on every node is how far each partition was read, so that is the position, and a client
// may resume with it on any node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rillgate::hub {

/// One record's place in its log.
struct LogRecord {
  std::uint32_t partition = 0;
  std::uint64_t offset = 0;
};

/// For each partition the offset that comes next; 0 for those it has never heard of.
class LogPosition {
 public:
  LogPosition() = default;
  explicit LogPosition(std::vector<std::uint64_t> next) : next_(std::move(next)) {}

  [[nodiscard]] std::uint64_t next(std::uint32_t partition) const {
    return partition < next_.size() ? next_[partition] : 0;
  }
  [[nodiscard]] bool covers(LogRecord record) const { return record.offset < next(record.partition); }
  /// Whether whoever stands here has everything that `other` has.
  [[nodiscard]] bool includes(const LogPosition& other) const;
  /// One more than the largest partition that it may know of.
  [[nodiscard]] std::uint32_t partitions() const { return static_cast<std::uint32_t>(next_.size()); }

  void set(std::uint32_t partition, std::uint64_t next);
  /// Never moves back.
  void raise(std::uint32_t partition, std::uint64_t next);
  /// To where both have been: the larger of each.
  void merge(const LogPosition& other);

 private:
  std::vector<std::uint64_t> next_;
};

/// Ids are `LOG-NEXT…`: LOG tells this log from others, and the offsets follow as varints (7 bits a byte, the lowest
/// first, the eighth says that more follow) in base64url without padding (RFC 4648, section 5). 18 partitions at offset
/// 10⁹ take 127 bytes.
class LogIds {
 public:
  static constexpr std::size_t kIdBytesMax = 1024;

  /// The log is not known yet. The id of its only position, before everything, is good for any log.
  LogIds() = default;
  /// Logs of different names have different ids, but for one chance in 2³⁶.
  explicit LogIds(std::string_view log_name);

  [[nodiscard]] std::string format(const LogPosition& position) const;
  /// The id of `position` moved past `record`.
  [[nodiscard]] std::string format_after(const LogPosition& position, LogRecord record) const;
  /// Nothing when the id is of another log, or none at all.
  [[nodiscard]] std::optional<LogPosition> parse(std::string_view id) const;
  /// The position in an id that this object made, which is not checked again.
  [[nodiscard]] LogPosition parse_own(std::string_view id) const;

 private:
  template <class NextOf>
  [[nodiscard]] std::string encode(std::uint32_t partitions, NextOf next_of) const;

  std::string prefix_ = "-";
};

}  // namespace rillgate::hub
