// Where a stream stands among the events of a hub, and how that is written as an SSE id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rillgate::hub {

/// Number of an event. Taken under the lock of its stripe while the event is queued, so within a stripe a larger number
/// was always queued later. 0 stands before every event.
enum class Seq : std::uint64_t {};

[[nodiscard]] constexpr std::uint64_t value(Seq seq) {
  return static_cast<std::uint64_t>(seq);
}
[[nodiscard]] constexpr Seq next(Seq seq) {
  return Seq{value(seq) + 1};
}
[[nodiscard]] constexpr Seq previous(Seq seq) {
  return Seq{value(seq) - 1};
}

/// Ids are `EPOCH-SEQ`. The epoch is new at each start of the server, so an id from before a restart is recognised as
/// one whose history is gone.
class IdFormat {
 public:
  static constexpr std::size_t kEpochBytesMax = 24;
  static constexpr std::size_t kIdBytesMax = kEpochBytesMax + 1 + 20;

  /// `epoch`: 1 to kEpochBytesMax letters and digits.
  explicit IdFormat(std::string epoch);

  [[nodiscard]] std::string format(Seq seq) const;
  void append(std::string& out, Seq seq) const;
  /// Writes the id so that it ends just before `end`, which has kIdBytesMax bytes of room; returns its beginning.
  char* format_before(char* end, Seq seq) const;
  /// Nothing when the id is not of this epoch or not an id at all.
  [[nodiscard]] std::optional<Seq> parse(std::string_view id) const;

 private:
  std::string prefix_;  // EPOCH and the hyphen
};

}  // namespace rillgate::hub
