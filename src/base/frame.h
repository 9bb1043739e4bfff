// The bytes of one event as every transport can send them. Encoded once and shared by all streams: HTTP/1.1 takes the
// whole chunk, HTTP/1.0 and HTTP/2 the payload in its middle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rillgate {

/// A view; the memory belongs to whoever made it and outlives the write. The bytes are `SIZE-IN-HEX CRLF payload CRLF`
/// (RFC 9112, section 7.1).
class Frame {
 public:
  Frame() = default;
  /// `chunk` is the whole; the payload begins `payload_offset` bytes into it and ends with the last CRLF.
  Frame(std::string_view chunk, std::size_t payload_offset)
      : begin_(chunk.data()),
        size_(static_cast<std::uint32_t>(chunk.size())),
        payload_offset_(static_cast<std::uint32_t>(payload_offset)) {}

  [[nodiscard]] std::string_view chunk() const { return {begin_, size_}; }
  [[nodiscard]] std::string_view payload() const { return {begin_ + payload_offset_, size_ - payload_offset_ - 2}; }

 private:
  const char* begin_ = nullptr;
  std::uint32_t size_ = 2;
  std::uint32_t payload_offset_ = 0;
};

/// What a transport made of a write.
struct Written {
  enum class State : std::uint8_t { kAll, kFull, kBroken };
  std::size_t frames;  // taken whole, from the front; of the next one the transport may have taken a part
  State state;
};

}  // namespace rillgate
