// Event types and data that try to break the format: line breaks of each kind, blanks, colons, field names, BOM.
#pragma once

#include <rapidcheck.h>

#include <string>
#include <string_view>
#include <vector>

namespace rillgate::sse::test {

inline rc::Gen<std::string> joined(rc::Gen<std::string> piece) {
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(std::move(piece)),
                      [](const std::vector<std::string>& pieces) {
                        std::string text;
                        for (const std::string& each : pieces) text += each;
                        return text;
                      });
}

/// UTF-8 without control characters: an event type (an empty one is the default) or a piece of text.
inline rc::Gen<std::string> any_type() {
  using namespace std::string_literals;
  return joined(rc::gen::element("a"s, "update"s, " "s, ":"s, "message"s, "ß"s, "🦋"s, "\xef\xbb\xbf"s, "data: "s));
}

/// Any UTF-8.
inline rc::Gen<std::string> any_data() {
  using namespace std::string_literals;
  return joined(rc::gen::element("\n"s, "\r"s, "\r\n"s, "\n\n"s, " "s, ":"s, "a"s, "data: "s, "id: 7"s, "event:x"s,
                                 "retry:1"s, "ß"s, "🦋"s, "\xef\xbb\xbf"s, "\0"s, "\t"s, "\x7f"s, "\xe2\x80\xa8"s));
}

/// The same text with every line break written as LF, as a reader gets it.
inline std::string with_line_feeds(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      result += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      result += '\n';
    }
  }
  return result;
}

}  // namespace rillgate::sse::test
