// Streams by the ten thousand and publishers beside them, driven by one thread, so that the client takes as little of
// the machine from the server as it can. Loopback only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "histogram.h"

namespace rillgate::bench {

/// How one server is spoken to. `{i}` stands for a stream's number, `{m}` for the message.
struct Speech {
  std::uint16_t port = 0;
  std::uint16_t publish_port = 0;
  std::string stream_path;
  std::string publish_path;
  std::string publish_fields;  // header lines, each ended by CRLF
  std::string publish_body = "{m}";
};

struct Traffic {
  enum class To : std::uint8_t { kOne, kAll } to = To::kOne;
  std::size_t streams = 1;        // those that messages go to, from number 0
  std::size_t stalled_share = 0;  // of 100 messages: those to the one behind them instead, which does not read
  double per_second = 0;          // 0: each publisher sends its next message when it is answered
  std::size_t under_way = 0;      // messages that not all have yet, at most; 0: any number
  std::uint64_t warm_up_ns = 0;
  std::uint64_t measured_ns = 0;
};

/// Counted between warm-up and end.
struct Outcome {
  std::uint64_t wall_ns = 0;
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;  // of the whole run, warm-up included
  std::uint64_t refused = 0;
  std::uint64_t ended_streams = 0;  // by the server
  std::size_t stuck_publishers = 0;
  Histogram latency;  // from when a message was due to when a stream had it
};

class Load {
 public:
  explicit Load(Speech speech);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Opens streams until there are `count`; returns the nanoseconds that took. At most `connecting` at once.
  std::uint64_t open(std::size_t count, std::size_t connecting);
  /// One more stream; it is not read any more from here on.
  void open_stalled();
  void close_streams();
  void connect_publishers(std::size_t count);

  /// `on_begin` and `on_end` are called around what is measured.
  Outcome run(const Traffic& traffic, const std::function<void()>& on_begin, const std::function<void()>& on_end);
  /// Reads whatever comes.
  void idle(std::uint64_t nanoseconds);

 private:
  struct Reader;
  struct Publisher;

  void connect(Reader& reader, int receive_buffer);
  void on_reader(Reader& reader, std::uint32_t events);
  void on_publisher(Publisher& publisher, std::uint32_t events);
  void connect(Publisher& publisher);
  void publish(Publisher& publisher, std::uint64_t due);
  void scan(Reader& reader, std::string_view bytes);
  void poll(std::uint64_t wait_ns);
  [[nodiscard]] std::uint64_t expected() const;

  const Speech speech_;
  int epoll_;
  std::vector<Reader> readers_;
  std::vector<Publisher> publishers_;
  std::size_t open_ = 0;
  std::size_t connecting_ = 0;
  std::uint64_t ended_ = 0;

  Traffic traffic_;
  std::uint64_t run_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t to_stalled_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t delivered_ = 0;
  bool measuring_ = false;
  Histogram latency_;
  std::uint64_t random_ = 0x9e3779b97f4a7c15;
};

}  // namespace rillgate::bench
