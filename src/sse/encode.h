// Events to bytes: the HTML Living Standard, section 9.2 (server-sent events), seen from the server. Pure functions
// over memory that the caller hands in; no I/O, no allocation but what `std::string` does.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace rillgate::sse {

/// An event as its publisher knows it: an empty type is the default ("message"), any line break in `data` (CR, LF,
/// CRLF) parts two lines. `type` holds no line break; both are UTF-8. The reader gets the lines back joined by LF.
struct EventText {
  std::string_view type;
  std::string_view data;
};

/// Bytes that write_body will write.
[[nodiscard]] std::size_t body_size(EventText event);

/// Writes the event without its id: `event:` (unless the type is empty), one `data:` for each line, and the blank line
/// that dispatches it. Returns the end. Empty data is `data:` and still an event (section 9.2.6: only a block without
/// any data line is not dispatched).
char* write_body(char* out, EventText event);

/// A comment and a blank line: bytes that keep a connection alive and that no reader sees. `text` has no line break.
[[nodiscard]] std::string comment(std::string_view text);

/// A block of Rillgate's own (`stream-open`, `stream-position`, `stream-gap`, `stream-close`): its type, then `id:` and
/// `retry:` where given, then `data:` even when empty, since some browsers drop the id of a block without a data line.
struct ControlBlock {
  std::string_view type;
  std::string_view id = {};
  std::chrono::milliseconds retry{0};  // 0 = none
  std::string_view data = {};          // one line
};
[[nodiscard]] std::string control_block(const ControlBlock& block);

}  // namespace rillgate::sse
