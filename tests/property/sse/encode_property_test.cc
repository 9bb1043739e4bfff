// What the encoder writes is, for an independent reader, what went in.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "property/sse/event_stream_reader.h"
#include "property/sse/generators.h"
#include "sse/encode.h"

namespace rillgate::sse {
namespace {

using test::EventStreamReader;

/// In a block of exactly body_size bytes, so that a sanitizer sees a byte too much.
std::string body_of(EventText event) {
  const std::size_t size = body_size(event);
  const auto block = std::make_unique<char[]>(size);
  RC_ASSERT(write_body(block.get(), event) == block.get() + size);
  return {block.get(), size};
}

RC_GTEST_PROP(Encoding, AnEventIsReadAsItWasGiven, ()) {
  const std::string type = *test::any_type();
  const std::string data = *test::any_data();
  const EventStreamReader reader(body_of({.type = type, .data = data}));
  RC_ASSERT(reader.events.size() == 1U);
  RC_ASSERT(reader.events[0].type == (type.empty() ? "message" : type));
  RC_ASSERT(reader.events[0].data == test::with_line_feeds(data));
  RC_ASSERT(reader.unread.empty());
  RC_ASSERT(reader.last_event_id.empty());
  RC_ASSERT(reader.reconnection_time.empty());
}

RC_GTEST_PROP(Encoding, EventsAndCommentsInARowDoNotTouchEachOther, ()) {
  const auto texts = *rc::gen::container<std::vector<std::string>>(test::any_data());
  const auto types = *rc::gen::container<std::vector<std::string>>(texts.size(), test::any_type());
  const std::string note = *test::any_type();
  std::string stream;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    stream += comment(note);
    stream += body_of({.type = types[i], .data = texts[i]});
  }
  const EventStreamReader reader(stream);
  RC_ASSERT(reader.events.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    RC_ASSERT(reader.events[i].type == (types[i].empty() ? "message" : types[i]));
    RC_ASSERT(reader.events[i].data == test::with_line_feeds(texts[i]));
    RC_ASSERT(reader.comments[i] == " " + note);
  }
}

RC_GTEST_PROP(Encoding, AControlBlockIsReadAsItWasGiven, ()) {
  const std::string id = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("azAZ09-_.:~")));
  const std::string data = *test::any_type();  // one line of any text
  const auto retry = *rc::gen::inRange<std::int64_t>(0, 100'000);
  const EventStreamReader reader(
      control_block({.type = "stream-open", .id = id, .retry = std::chrono::milliseconds(retry), .data = data}));
  RC_ASSERT(reader.events.size() == 1U);
  RC_ASSERT(reader.events[0] == (test::ReadEvent{"stream-open", data, id}));
  RC_ASSERT(reader.reconnection_time == (retry == 0 ? "" : std::to_string(retry)));
}

}  // namespace
}  // namespace rillgate::sse
