// A stream over HTTP/1.1 in cleartext: a socket and little else, since there are many of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "http/sink.h"
#include "io/fd.h"
#include "io/reactor.h"

namespace rillgate::http {

class StreamSocket final : public Sink, public io::Watcher {
 public:
  enum class Framing : bool { kRaw, kChunked };

  /// `head` goes out before the first frame. `open` counts this socket until its end.
  StreamSocket(io::Reactor& reactor, io::Fd socket, std::atomic<std::uint64_t>& open, std::string head,
               Framing framing);
  ~StreamSocket() override;

  void start(Owner& owner) override;
  Written write(std::span<const Frame> frames) override;
  void finish() override;
  void on_ready(Ready ready) override;

 private:
  /// Bytes that a client may send on a stream, where it has nothing to say, before it counts as broken.
  static constexpr std::size_t kInputBytesMax = 64 * 1024;

  [[nodiscard]] std::string_view bytes_of(const Frame& frame) const {
    return framing_ == Framing::kChunked ? frame.chunk() : frame.payload();
  }
  bool client_is_gone();
  void want_writable();

  io::Reactor& reactor_;
  std::atomic<std::uint64_t>& open_;
  Owner* owner_ = nullptr;
  io::Fd socket_;
  std::uint32_t partly_sent_ = 0;  // bytes of the head and the first frame together that are sent already
  std::uint32_t input_bytes_ = 0;
  bool wants_writable_ = false;  // the reactor tells of that
  const Framing framing_;
  std::unique_ptr<const std::string> head_;
};

}  // namespace rillgate::http
