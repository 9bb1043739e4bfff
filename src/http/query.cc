#include "http/query.h"

#include <fmt/format.h>

#include <algorithm>

namespace rillgate::http {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

}  // namespace

std::expected<std::string, Error> percent_decode(std::string_view text, Plus plus) {
  const auto is_plain = [&](char c) { return c != '%' && (c != '+' || plus == Plus::kLiteral); };
  std::size_t i = static_cast<std::size_t>(std::ranges::find_if_not(text, is_plain) - text.begin());
  std::string out(text.substr(0, i));
  for (; i < text.size(); ++i) {
    if (is_plain(text[i])) {
      out += text[i];
    } else if (text[i] == '+') {
      out += ' ';
    } else {
      const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return std::unexpected(Error{
            fmt::format("'{}' is not a percent escape; write % and two hexadecimal digits, and %25 for the sign itself",
                        text.substr(i, 3))});
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::expected<Query, Error> Query::parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto name = percent_decode(pair.substr(0, equals), Plus::kSpace);
    if (!name) return std::unexpected(name.error());
    auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), Plus::kSpace);
    if (!value) return std::unexpected(value.error());
    query.parameters_.emplace_back(*std::move(name), *std::move(value));
  }
  return query;
}

std::expected<std::optional<std::string_view>, Error> Query::optional(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const auto& [key, value] : parameters_) {
    if (key != name) continue;
    if (found) return std::unexpected(Error{fmt::format("the parameter '{}' is given more than once", name)});
    found = value;
  }
  return found;
}

std::expected<std::string_view, Error> Query::required(std::string_view name, std::string_view accepted) const {
  const auto found = optional(name);
  if (!found) return std::unexpected(found.error());
  if (!*found) {
    return std::unexpected(Error{fmt::format("the parameter '{}' is missing: {}={}", name, name, accepted)});
  }
  return **found;
}

}  // namespace rillgate::http
