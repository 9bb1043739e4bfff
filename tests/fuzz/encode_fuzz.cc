// The encoder against an independent reader: any UTF-8 published with any type comes out as it went in, with line
// breaks as LF, in one event, framed as one chunk.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "hub/event.h"
#include "property/sse/event_stream_reader.h"

namespace {

using namespace rillgate;

void require(bool holds) {
  if (!holds) std::abort();
}

std::string with_line_feeds(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && text.substr(i + 1).starts_with('\n')) continue;
    result += text[i] == '\r' ? '\n' : text[i];
  }
  return result;
}

}  // namespace

/// The first byte is the length of the type, then come type and data.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string_view type = text.substr(0, data[0]);
  const std::string_view message = text.substr(type.size());
  if (!is_utf8(type) || has_control_characters(type) || !is_utf8(message)) return 0;

  const hub::IdFormat ids("epoch");
  const auto event = hub::Event::draft({.type = type, .data = message});
  event->number(hub::Seq{size}, ids);
  const sse::test::EventStreamReader reader(event->frame().payload());
  require(reader.events.size() == 1 && reader.unread.empty());
  require(reader.events[0].type == (type.empty() ? "message" : type));
  require(reader.events[0].data == with_line_feeds(message));
  require(ids.parse(reader.events[0].last_event_id) == hub::Seq{size});
  require(reader.reconnection_time.empty() && reader.comments.empty());

  const std::string_view chunk = event->frame().chunk();
  const std::size_t head_end = chunk.find("\r\n");
  require(std::stoul(std::string(chunk.substr(0, head_end)), nullptr, 16) == event->frame().payload().size());
  require(chunk.substr(head_end + 2, event->frame().payload().size()) == event->frame().payload());
  require(chunk.size() == head_end + 2 + event->frame().payload().size() + 2 && chunk.ends_with("\r\n"));
  return 0;
}
