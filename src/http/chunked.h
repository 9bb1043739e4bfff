// A body in chunks (RFC 9112, section 7.1), read strictly: every line ends with CRLF, a size is plain hexadecimal, and
// a trailer is well-formed although nobody reads it. An engine: bytes in, bytes out, however they are cut.
//
// Our own because Boost.Beast's fails an assertion when the last chunk comes in pieces, and takes folded trailers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rillgate::http {

class ChunkedBody {
 public:
  enum class State : std::uint8_t { kMore, kDone, kMalformed, kTooLarge };

  explicit ChunkedBody(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  /// Appends what `bytes` hold of the body to `body`; returns how many bytes were used: all, unless the body ends in
  /// them or can't be read.
  std::size_t consume(std::string_view bytes, std::string& body);
  [[nodiscard]] State state() const { return state_; }

 private:
  /// A line of a chunk's size with its extensions, or of the trailer: more than any honest client sends.
  static constexpr std::size_t kLineBytesMax = 4 * 1024;
  static constexpr std::size_t kTrailerLinesMax = 64;

  enum class Part : std::uint8_t { kSize, kData, kDataEnd, kTrailer };

  void take_line();
  [[nodiscard]] bool read_size();

  const std::uint64_t bytes_max_;
  State state_ = State::kMore;
  Part part_ = Part::kSize;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t left_ = 0;  // of the present chunk
  std::size_t trailer_lines_ = 0;
  std::string line_;
};

}  // namespace rillgate::http
