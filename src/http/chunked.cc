#include "http/chunked.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace rillgate::http {

std::size_t ChunkedBody::consume(std::string_view bytes, std::string& body) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ == State::kMore) {
    if (part_ == Part::kData) {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - used));
      body.append(bytes.substr(used, take));
      used += take;
      left_ -= take;
      if (left_ == 0) part_ = Part::kDataEnd;
      continue;
    }
    line_ += bytes[used++];
    if (line_.ends_with("\r\n")) {
      line_.resize(line_.size() - 2);
      take_line();
      line_.clear();
    } else if (line_.size() > kLineBytesMax || line_.ends_with('\n') ||
               (line_.size() >= 2 && line_[line_.size() - 2] == '\r')) {
      state_ = State::kMalformed;
    }
  }
  return used;
}

void ChunkedBody::take_line() {
  switch (part_) {
    case Part::kSize:
      if (!read_size()) {
        state_ = State::kMalformed;
      } else if (left_ > bytes_max_ - body_bytes_) {
        state_ = State::kTooLarge;
      } else {
        body_bytes_ += left_;
        part_ = left_ == 0 ? Part::kTrailer : Part::kData;
      }
      return;
    case Part::kDataEnd:
      part_ = Part::kSize;
      if (!line_.empty()) state_ = State::kMalformed;
      return;
    case Part::kTrailer:
      if (line_.empty()) {
        state_ = State::kDone;
      } else if (++trailer_lines_ > kTrailerLinesMax || line_.find(':') == std::string::npos ||
                 line_.starts_with(':') || line_.starts_with(' ') || line_.starts_with('\t') ||
                 has_control_characters(line_)) {
        state_ = State::kMalformed;
      }
      return;
    case Part::kData:
      return;
  }
}

bool ChunkedBody::read_size() {
  const char* const end = line_.data() + line_.size();
  const auto [stop, error] = std::from_chars(line_.data(), end, left_, 16);
  if (error != std::errc{}) return false;
  // Extensions (section 7.1.1) are passed over.
  return stop == end || (trimmed({stop, end}).starts_with(';') && !has_control_characters({stop, end}));
}

}  // namespace rillgate::http
