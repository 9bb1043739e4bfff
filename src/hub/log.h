// The partitioned log that a hub's events come from, as far as this node has read it.
//
// One thread reads the log and moves the position; it does so under the lock of the stripe that the record went to, so
// whoever holds a stripe's lock sees a position that covers exactly what that stripe was given. Everything here may be
// called from any thread unless it says "reader", and holds its own lock only, which is the innermost.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/log_position.h"
#include "hub/position.h"

namespace rillgate::hub {

/// What one stream has of the log, as long as this node's own position does not say it: the stream came with an id from
/// a node that read in another order, or further; or it began while old records were still being read.
struct OwnPosition {
  LogPosition at;
  bool began_live = false;      // it wants no old record of partitions that are not known yet either
  std::string unverified = {};  // the id that it came with, as long as the log is not known
};

class Log {
 public:
  // ---- What the reader tells.

  /// Which log it is: ids of others are unknown from now on. Reader.
  void identify(std::string_view name);
  /// A partition is read from `first` on; what lies before is not kept. Records before `live_from` are old ones, which
  /// go to the history and to streams that ask for them. Reader, before the partition's first record.
  struct Begin {
    std::uint32_t partition;
    std::uint64_t first;
    std::uint64_t live_from;
  };
  void begin(const Begin& begin);
  /// Every partition that the log had when it was first seen has begun. Reader.
  void complete();
  /// The reader has passed the record. Returns its number in this node's order. Reader.
  Seq advance(LogRecord record);
  /// The id of the position right after `record`, were it read next. Reader.
  [[nodiscard]] std::string id_after(LogRecord record) const;
  /// What lies before `first` is gone from the log, and the reader goes on there. Reader.
  void lose(std::uint32_t partition, std::uint64_t first);

  // ---- What the hub asks.

  /// Counts the moves of the position.
  [[nodiscard]] Seq seq() const;
  [[nodiscard]] LogPosition position() const;
  /// Everything before it was dropped or never read.
  [[nodiscard]] LogPosition lost() const;
  [[nodiscard]] bool is_known() const;
  [[nodiscard]] std::string format(const LogPosition& position) const;
  /// Nothing when the id is none of this log.
  [[nodiscard]] std::optional<LogPosition> parse(std::string_view id) const;
  [[nodiscard]] LogPosition parse_own(std::string_view id) const;
  /// Where a stream begins that wants new events only; nothing when that is simply position().
  [[nodiscard]] std::optional<OwnPosition> live_position() const;
  /// Whether a stream needs no position of its own any more, once this node has come to `at`.
  [[nodiscard]] bool is_implied(const OwnPosition& own, const LogPosition& at) const;

  // ---- Ids from beyond the log's end (another log of the same name, or one that lost its end) skip what they claim to
  // have. So what is ahead of this node has to be compared with the log itself.

  /// Remembers the partitions in which `asked` is ahead of this node.
  void suspect(const LogPosition& asked);
  /// The partitions to compare, each once. Reader.
  [[nodiscard]] std::vector<std::uint32_t> take_suspects();

 private:
  mutable std::mutex mutex_;
  LogIds ids_;
  bool is_known_ = false;
  LogPosition position_;
  LogPosition lost_;
  LogPosition live_from_;
  Seq seq_{};
  bool is_complete_ = false;
  std::vector<std::uint32_t> suspects_;
};

}  // namespace rillgate::hub
