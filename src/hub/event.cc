#include "hub/event.h"

#include <cassert>
#include <cstring>
#include <new>

namespace rillgate::hub {
namespace {

constexpr std::string_view kCrlf = "\r\n";
constexpr std::string_view kId = "id: ";
constexpr std::size_t kChunkSizeBytesMax = 16 + kCrlf.size();
constexpr std::size_t kIdLineBytesMax = kId.size() + IdFormat::kIdBytesMax + 1;
constexpr std::size_t kFrontRoom = kChunkSizeBytesMax + kIdLineBytesMax;

char* put_before(char* end, std::string_view bytes) {
  end -= bytes.size();
  std::memcpy(end, bytes.data(), bytes.size());
  return end;
}

char* put_hex_before(char* end, std::size_t number) {
  do {
    *--end = "0123456789abcdef"[number & 15];
    number >>= 4;
  } while (number != 0);
  return end;
}

}  // namespace

Event* Event::allocate(std::size_t text_bytes) {
  const std::size_t memory = sizeof(Event) + kFrontRoom + text_bytes + kCrlf.size();
  return new (::operator new(memory)) Event(memory);
}

void Event::release() const noexcept {
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  this->~Event();
  ::operator delete(const_cast<Event*>(this));
}

Ref<Event> Event::draft(sse::EventText text) {
  const std::size_t size = sse::body_size(text);
  Event* const event = allocate(size);
  event->events_ = 1;
  event->body_bytes_ = static_cast<std::uint32_t>(size);
  [[maybe_unused]] const char* const end = sse::write_body(event->text() + kFrontRoom, text);
  assert(end == event->text() + kFrontRoom + size);
  return Ref<Event>::adopt(event);
}

Ref<Event> Event::fixed(std::string_view payload, std::uint32_t events) {
  Event* const event = allocate(payload.size());
  event->events_ = events;
  event->body_bytes_ = static_cast<std::uint32_t>(payload.size());
  payload.copy(event->text() + kFrontRoom, payload.size());
  event->frame_payload(event->text() + kFrontRoom);
  return Ref<Event>::adopt(event);
}

void Event::number(Seq seq, const IdFormat& ids) {
  seq_ = seq;
  char* begin = text() + kFrontRoom;
  *--begin = '\n';
  begin = ids.format_before(begin, seq);
  frame_payload(put_before(begin, kId));
}

void Event::frame_payload(char* begin) {
  char* const end = text() + kFrontRoom + body_bytes_;
  std::memcpy(end, kCrlf.data(), kCrlf.size());
  char* chunk = put_before(begin, kCrlf);
  chunk = put_hex_before(chunk, static_cast<std::size_t>(end - begin));
  frame_ =
      Frame({chunk, static_cast<std::size_t>(end + kCrlf.size() - chunk)}, static_cast<std::size_t>(begin - chunk));
}

}  // namespace rillgate::hub
