// The names and numbers of V4, each a type of its own, so that the compiler refuses a report's id where a user's is
// due, and text from outside is checked once, where it is parsed. All are plain values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace rillgate::reports {

/// A UUID (RFC 9562), any version. Compared byte by byte, which for version 7 is the order of making.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  /// The text form of RFC 9562, section 4, in any case.
  [[nodiscard]] static std::expected<Uuid, Error> parse(std::string_view text);
  /// The same form in lower case: the one that is stored, compared and sent.
  [[nodiscard]] std::string text() const;

  auto operator<=>(const Uuid&) const = default;
};

template <class Whose>
struct UuidOf : Uuid {
  [[nodiscard]] static std::expected<UuidOf, Error> parse(std::string_view text) {
    const auto uuid = Uuid::parse(text);
    if (!uuid) return std::unexpected(uuid.error());
    return UuidOf{*uuid};
  }
  auto operator<=>(const UuidOf&) const = default;
};

using UserId = UuidOf<struct UserTag>;
/// Made by the store, as version 7: the larger id is the newer report.
using ReportId = UuidOf<struct ReportTag>;

/// Counts the changes of one report: 1 is its creation.
enum class Version : std::uint64_t {};
/// Counts the changes of all reports of one user: 1 is the first. 0 stands before every event.
enum class EventSeq : std::uint64_t {};

[[nodiscard]] constexpr std::uint64_t value(Version version) {
  return static_cast<std::uint64_t>(version);
}
[[nodiscard]] constexpr std::uint64_t value(EventSeq seq) {
  return static_cast<std::uint64_t>(seq);
}
[[nodiscard]] constexpr Version next(Version version) {
  return Version{value(version) + 1};
}
[[nodiscard]] constexpr EventSeq next(EventSeq seq) {
  return EventSeq{value(seq) + 1};
}

/// The value of `If-Match`: `3` or `"3"`.
[[nodiscard]] std::expected<Version, Error> parse_version(std::string_view text);

/// Which store a position belongs to; random, made with the store, so that the positions of a memory store that was
/// started again do not pass for those of the one before. 1 to kBytesMax ASCII letters and digits.
class StoreId {
 public:
  static constexpr std::size_t kBytesMax = 24;

  [[nodiscard]] static std::expected<StoreId, Error> parse(std::string_view text);
  [[nodiscard]] static StoreId random();
  [[nodiscard]] const std::string& text() const { return text_; }

  auto operator<=>(const StoreId&) const = default;

 private:
  explicit StoreId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// Where a stream stands among one user's events; the `id:` of V4, written `STORE-SEQ`.
struct Position {
  StoreId store;
  EventSeq seq{};

  /// Nothing when `text` is no such id.
  [[nodiscard]] static std::optional<Position> parse(std::string_view text);
  [[nodiscard]] std::string text() const;

  auto operator<=>(const Position&) const = default;
};

/// What a client sends along so that a repeat of its request makes no second report.
class IdempotencyKey {
 public:
  static constexpr std::size_t kBytesMax = 128;

  [[nodiscard]] static std::expected<IdempotencyKey, Error> parse(std::string_view text);
  [[nodiscard]] const std::string& text() const { return text_; }

  auto operator<=>(const IdempotencyKey&) const = default;

 private:
  explicit IdempotencyKey(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace rillgate::reports
