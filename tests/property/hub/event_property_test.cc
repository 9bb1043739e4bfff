// The whole way of the bytes: published text, numbered, framed as chunks, unframed and read by an independent reader.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "hub/event.h"
#include "property/sse/event_stream_reader.h"
#include "property/sse/generators.h"

namespace rillgate::hub {
namespace {

using sse::test::EventStreamReader;

/// RFC 9112, section 7.1, read strictly and without extensions.
std::string unchunked(std::string_view bytes) {
  std::string payload;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find("\r\n");
    RC_ASSERT(end != std::string_view::npos && end > 0 && end <= 8);
    RC_ASSERT(bytes.substr(0, end).find_first_not_of("0123456789abcdef") == std::string_view::npos);
    const std::size_t size = std::stoul(std::string(bytes.substr(0, end)), nullptr, 16);
    RC_ASSERT(size > 0 && bytes.size() >= end + 2 + size + 2);  // a chunk of 0 would end the stream
    payload += bytes.substr(end + 2, size);
    RC_ASSERT(bytes.substr(end + 2 + size, 2) == "\r\n");
    bytes.remove_prefix(end + 2 + size + 2);
  }
  return payload;
}

RC_GTEST_PROP(EventBytes, AStreamOfEventsIsReadAsItWasPublished, ()) {
  const auto texts = *rc::gen::container<std::vector<std::string>>(sse::test::any_data());
  const auto types = *rc::gen::container<std::vector<std::string>>(texts.size(), sse::test::any_type());
  const std::string epoch = *rc::gen::resize(
      IdFormat::kEpochBytesMax, rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange('a', 'z'))));
  RC_PRE(epoch.size() <= IdFormat::kEpochBytesMax);
  const std::uint64_t first = *rc::gen::arbitrary<std::uint32_t>();
  const IdFormat ids(epoch);
  std::string chunks;
  std::string payloads;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto event = Event::draft({.type = types[i], .data = texts[i]});
    event->number(Seq{first + i}, ids);
    chunks += event->frame().chunk();
    payloads += event->frame().payload();
    RC_ASSERT(event->wire_bytes() == event->frame().chunk().size());
  }
  RC_ASSERT(unchunked(chunks) == payloads);
  const EventStreamReader reader(payloads);
  RC_ASSERT(reader.events.size() == texts.size());
  RC_ASSERT(reader.unread.empty());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    RC_ASSERT(reader.events[i].type == (types[i].empty() ? "message" : types[i]));
    RC_ASSERT(reader.events[i].data == sse::test::with_line_feeds(texts[i]));
    RC_ASSERT(ids.parse(reader.events[i].last_event_id) == Seq{first + i});
  }
}

}  // namespace
}  // namespace rillgate::hub
