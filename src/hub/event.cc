#include "hub/event.h"

#include <cassert>
#include <cstring>
#include <new>

namespace rillgate::hub {
namespace {

constexpr std::string_view kCrlf = "\r\n";
constexpr std::string_view kId = "id: ";
constexpr std::size_t kChunkSizeBytesMax = 16 + kCrlf.size();
constexpr std::size_t front_room(std::size_t id_bytes_max) {
  return kChunkSizeBytesMax + kId.size() + id_bytes_max + 1;
}

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

Event* Event::allocate(std::size_t front_bytes, std::size_t body_bytes) {
  const std::size_t memory = sizeof(Event) + front_bytes + body_bytes + kCrlf.size();
  Event* const event = new (::operator new(memory)) Event(memory);
  event->front_bytes_ = static_cast<std::uint32_t>(front_bytes);
  event->body_bytes_ = static_cast<std::uint32_t>(body_bytes);
  return event;
}

void Event::release() const noexcept {
  if (holders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  this->~Event();
  ::operator delete(const_cast<Event*>(this));
}

Ref<Event> Event::draft(sse::EventText text) {
  const std::size_t size = sse::body_size(text);
  Event* const event = allocate(front_room(IdFormat::kIdBytesMax), size);
  event->events_ = 1;
  [[maybe_unused]] const char* const end = sse::write_body(event->body(), text);
  assert(end == event->body() + size);
  return Ref<Event>::adopt(event);
}

Ref<Event> Event::of_record(sse::EventText text, std::string_view id, LogRecord record) {
  Event* const event = allocate(front_room(id.size()), sse::body_size(text));
  event->events_ = 1;
  event->record_ = record;
  sse::write_body(event->body(), text);
  event->put_id(id);
  return Ref<Event>::adopt(event);
}

Ref<Event> Event::with_id(const Event& event, std::string_view id) {
  const std::string_view payload = event.frame_.payload();
  Event* const copy = allocate(front_room(id.size()), event.body_bytes_);
  copy->events_ = event.events_;
  copy->seq_ = event.seq_;
  copy->record_ = event.record_;
  copy->published = event.published;
  payload.copy(copy->body(), event.body_bytes_, payload.size() - event.body_bytes_);
  copy->put_id(id);
  return Ref<Event>::adopt(copy);
}

Ref<Event> Event::fixed(std::string_view payload, std::uint32_t events) {
  Event* const event = allocate(front_room(0), payload.size());
  event->events_ = events;
  payload.copy(event->body(), payload.size());
  event->frame_payload(event->body());
  return Ref<Event>::adopt(event);
}

void Event::number(Seq seq, const IdFormat& ids) {
  seq_ = seq;
  char* begin = body();
  *--begin = '\n';
  begin = ids.format_before(begin, seq);
  frame_payload(put_before(begin, kId));
}

void Event::put_id(std::string_view id) {
  char* begin = body();
  *--begin = '\n';
  frame_payload(put_before(put_before(begin, id), kId));
}

std::string_view Event::id() const {
  const std::string_view payload = frame_.payload();
  return payload.substr(kId.size(), payload.size() - body_bytes_ - kId.size() - 1);
}

void Event::frame_payload(char* begin) {
  char* const end = body() + body_bytes_;
  std::memcpy(end, kCrlf.data(), kCrlf.size());
  char* chunk = put_before(begin, kCrlf);
  chunk = put_hex_before(chunk, static_cast<std::size_t>(end - begin));
  frame_ =
      Frame({chunk, static_cast<std::size_t>(end + kCrlf.size() - chunk)}, static_cast<std::size_t>(begin - chunk));
}

}  // namespace rillgate::hub
