// Percent-decoding and query strings: RFC 3986 section 2.1, and application/x-www-form-urlencoded of the WHATWG URL
// standard, section 5.1, but strict about malformed escapes. Raw UTF-8 is taken as it is, since people type it.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace rillgate::http {

enum class Plus : bool { kLiteral, kSpace };

/// Fails on a `%` without two hexadecimal digits.
[[nodiscard]] std::expected<std::string, Error> percent_decode(std::string_view text, Plus plus);

/// Unreserved characters stay, all other bytes become `%XX`.
[[nodiscard]] std::string percent_encode(std::string_view text);

/// The parameters of a query string, decoded.
class Query {
 public:
  /// `text` without the question mark.
  [[nodiscard]] static std::expected<Query, Error> parse(std::string_view text);

  /// The value of a parameter that must be there once. `accepted` ends the error's sentence: what is accepted.
  [[nodiscard]] std::expected<std::string_view, Error> required(std::string_view name, std::string_view accepted) const;
  /// Fails when the parameter is there more than once.
  [[nodiscard]] std::expected<std::optional<std::string_view>, Error> optional(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace rillgate::http
