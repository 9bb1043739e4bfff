#include "sse/encode.h"

#include <fmt/format.h>

#include <algorithm>

namespace rillgate::sse {
namespace {

constexpr std::string_view kEvent = "event: ";
constexpr std::string_view kData = "data: ";

char* put(char* out, std::string_view bytes) {
  return out + bytes.copy(out, bytes.size());  // not memcpy: an empty view may have no address
}

/// Calls `line` for each line of `data`: one more than there are line breaks.
template <class Line>
void for_each_line(std::string_view data, Line line) {
  // Two searches for a byte each are several times as fast as one for either of two. Each goes on from where it found
  // the last one, so that text of one kind only is not searched to its end for the other at every line.
  std::size_t feed = data.find('\n');
  std::size_t carriage = data.find('\r');
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = std::min(feed, carriage);
    line(data.substr(begin, end - begin));
    if (end == std::string_view::npos) return;
    begin = end + (carriage == end && feed == end + 1 ? 2 : 1);
    if (feed < begin) feed = data.find('\n', begin);
    if (carriage < begin) carriage = data.find('\r', begin);
  }
}

/// "data: " may lose its blank only where nothing follows; the reader strips exactly one blank.
std::size_t data_line_size(std::string_view line) {
  return line.empty() ? 6 : kData.size() + line.size() + 1;
}

}  // namespace

std::size_t body_size(EventText event) {
  std::size_t size = event.type.empty() ? 0 : kEvent.size() + event.type.size() + 1;
  for_each_line(event.data, [&](std::string_view line) { size += data_line_size(line); });
  return size + 1;
}

char* write_body(char* out, EventText event) {
  if (!event.type.empty()) {
    out = put(out, kEvent);
    out = put(out, event.type);
    *out++ = '\n';
  }
  for_each_line(event.data, [&](std::string_view line) {
    out = put(out, line.empty() ? std::string_view("data:") : kData);
    out = put(out, line);
    *out++ = '\n';
  });
  *out++ = '\n';
  return out;
}

std::string comment(std::string_view text) {
  return fmt::format(": {}\n\n", text);
}

std::string control_block(const ControlBlock& block) {
  std::string out = fmt::format("event: {}\n", block.type);
  if (!block.id.empty()) out += fmt::format("id: {}\n", block.id);
  if (block.retry.count() > 0) out += fmt::format("retry: {}\n", block.retry.count());
  out += block.data.empty() ? "data:\n\n" : fmt::format("data: {}\n\n", block.data);
  return out;
}

}  // namespace rillgate::sse
