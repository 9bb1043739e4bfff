// A reader of event streams, written from the HTML Living Standard, section 9.2.6, and from nothing of ours: what it
// reads is what a browser reads. It takes a whole stream at once and is slow on purpose.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace rillgate::sse::test {

struct ReadEvent {
  std::string type;
  std::string data;
  std::string last_event_id;
  bool operator==(const ReadEvent&) const = default;
};

class EventStreamReader {
 public:
  explicit EventStreamReader(std::string_view stream) {
    if (stream.starts_with("\xef\xbb\xbf")) stream.remove_prefix(3);
    // A line that has no end is not read, nor is a block that has none dispatched.
    for (std::size_t end = stream.find_first_of("\r\n"); end != std::string_view::npos;
         end = stream.find_first_of("\r\n")) {
      read_line(stream.substr(0, end));
      const bool is_crlf = stream[end] == '\r' && end + 1 < stream.size() && stream[end + 1] == '\n';
      stream.remove_prefix(end + (is_crlf ? 2 : 1));
    }
    unread = stream;
  }

  std::vector<ReadEvent> events;
  std::string last_event_id;      // of the source: what it would send when it returns
  std::string reconnection_time;  // empty: not told
  std::vector<std::string> comments;
  std::string unread;

 private:
  void read_line(std::string_view line) {
    if (line.empty()) {
      dispatch();
    } else if (line.front() == ':') {
      comments.emplace_back(line.substr(1));
    } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
      std::string_view value = line.substr(colon + 1);
      if (value.starts_with(' ')) value.remove_prefix(1);
      read_field(line.substr(0, colon), value);
    } else {
      read_field(line, {});
    }
  }

  void read_field(std::string_view name, std::string_view value) {
    if (name == "event") {
      type_buffer_ = value;
    } else if (name == "data") {
      data_buffer_.append(value).append("\n");
    } else if (name == "id") {
      if (!value.contains('\0')) id_buffer_ = value;
    } else if (name == "retry") {
      if (std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) reconnection_time = value;
    }
  }

  void dispatch() {
    last_event_id = id_buffer_;
    if (!data_buffer_.empty()) {
      data_buffer_.pop_back();
      events.push_back({type_buffer_.empty() ? "message" : type_buffer_, data_buffer_, last_event_id});
    }
    data_buffer_.clear();
    type_buffer_.clear();
  }

  std::string data_buffer_;
  std::string type_buffer_;
  std::string id_buffer_;
};

}  // namespace rillgate::sse::test
