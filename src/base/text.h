// Questions about text that came from outside, and its safe way into JSON.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace rillgate {

/// Whether `text` is well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view text);

/// Whether `text` has a byte of U+0000 to U+001F or U+007F.
[[nodiscard]] bool has_control_characters(std::string_view text);

/// Appends `text` as a JSON string, quotes included (RFC 8259, section 7). Bytes that are not UTF-8 become U+FFFD, so
/// the result is valid whatever a client sent.
void append_json_string(std::string& out, std::string_view text);
[[nodiscard]] std::string json_string(std::string_view text);

/// Equality without regard to the case of ASCII letters, as HTTP compares its field names.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);

/// `text` without spaces and tabs at its ends.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// Appends all parts in one step.
void append_all(std::string& out, std::initializer_list<std::string_view> parts);

/// The decimal digits of a number.
class Decimal {
 public:
  explicit Decimal(std::uint64_t number);
  operator std::string_view() const { return {digits_.data(), size_}; }

 private:
  std::array<char, 20> digits_;
  std::size_t size_;
};

/// A decimal number with no sign, no blank and nothing after it; nothing when it does not fit 64 bits.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view text);

}  // namespace rillgate
