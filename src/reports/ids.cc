#include "reports/ids.h"

#include <algorithm>
#include <limits>
#include <random>

#include "base/text.h"
#include "reports/impl/quoted.h"

namespace rillgate::reports {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Where the text form of a UUID has a hyphen.
constexpr bool is_hyphen_place(std::size_t i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

std::expected<Uuid, Error> Uuid::parse(std::string_view text) {
  const auto refuse = [text] {
    return std::unexpected(
        Error{impl::quoted(text) + " is not a UUID; accepted: 32 hexadecimal digits as 8-4-4-4-12, joined by hyphens"});
  };
  if (text.size() != 36) return refuse();
  Uuid uuid;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_hyphen_place(i)) {
      if (text[i] != '-') return refuse();
      continue;
    }
    const int digit = hex_value(text[i]);
    if (digit < 0) return refuse();
    std::uint8_t& byte = uuid.bytes[digits++ / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | digit);
  }
  return uuid;
}

std::string Uuid::text() const {
  std::string out;
  out.reserve(36);
  for (const std::uint8_t byte : bytes) {
    if (is_hyphen_place(out.size())) out += '-';
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 15];
  }
  return out;
}

std::expected<Version, Error> parse_version(std::string_view text) {
  std::string_view digits = text;
  if (digits.size() >= 2 && digits.front() == '"' && digits.back() == '"') digits = digits.substr(1, digits.size() - 2);
  const auto number = parse_decimal(digits);
  if (!number || *number == 0) {
    return std::unexpected(Error{impl::quoted(text) + " is not a version; accepted: a number from 1, bare or quoted"});
  }
  return Version{*number};
}

std::expected<StoreId, Error> StoreId::parse(std::string_view text) {
  if (text.empty() || text.size() > kBytesMax || !std::ranges::all_of(text, is_letter_or_digit)) {
    return std::unexpected(Error{impl::quoted(text) + " is not the id of a store; accepted: 1 to " +
                                 std::to_string(kBytesMax) + " letters and digits"});
  }
  return StoreId(std::string(text));
}

StoreId StoreId::random() {
  std::random_device random;
  std::string text;
  for (int i = 0; i < 8; ++i) text += kHexDigits[random() & 15];
  return StoreId(std::move(text));
}

std::optional<Position> Position::parse(std::string_view text) {
  const std::size_t hyphen = text.find('-');
  if (hyphen == std::string_view::npos) return std::nullopt;
  auto store = StoreId::parse(text.substr(0, hyphen));
  const auto seq = parse_decimal(text.substr(hyphen + 1));
  // Databases count in signed 64 bits; no user gets that far, so such an id was never ours.
  constexpr auto kSeqMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!store || !seq || *seq > kSeqMax) return std::nullopt;
  return Position{*std::move(store), EventSeq{*seq}};
}

std::string Position::text() const {
  return store.text() + '-' + std::to_string(value(seq));
}

std::expected<IdempotencyKey, Error> IdempotencyKey::parse(std::string_view text) {
  if (text.empty() || text.size() > kBytesMax) {
    return std::unexpected(Error{"Idempotency-Key has " + std::to_string(text.size()) + " bytes; accepted: 1 to " +
                                 std::to_string(kBytesMax)});
  }
  return IdempotencyKey(std::string(text));
}

}  // namespace rillgate::reports
