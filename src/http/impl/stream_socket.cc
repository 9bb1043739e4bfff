#include "http/impl/stream_socket.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

namespace rillgate::http {
namespace {

constexpr std::size_t kPiecesMax = 65;  // the head and a batch of frames
/// So much is copied together rather than given to the kernel in pieces, each of which costs it more than the copy.
constexpr std::size_t kCopiedBytesMax = 4096;

}  // namespace

StreamSocket::StreamSocket(io::Reactor& reactor, io::Fd socket, std::atomic<std::uint64_t>& open, std::string head,
                           Framing framing)
    : reactor_(reactor),
      open_(open),
      socket_(std::move(socket)),
      framing_(framing),
      head_(std::make_unique<const std::string>(std::move(head))) {}

StreamSocket::~StreamSocket() {
  open_.fetch_sub(1, std::memory_order_relaxed);
}

void StreamSocket::start(Owner& owner) {
  owner_ = &owner;
  reactor_.rewatch(socket_.get(), *this, io::Reactor::Interest::kInput);
}

Written StreamSocket::write(std::span<const Frame> frames) {
  std::array<iovec, kPiecesMax> pieces;
  std::size_t count = 0;
  std::size_t size = 0;
  std::size_t skip = partly_sent_;
  const auto add = [&](std::string_view bytes) {
    if (skip >= bytes.size()) {
      skip -= bytes.size();
      return;
    }
    pieces[count++] = {const_cast<char*>(bytes.data()) + skip, bytes.size() - skip};
    size += bytes.size() - skip;
    skip = 0;
  };
  if (head_) add(*head_);
  std::size_t offered = 0;
  while (offered < frames.size() && count < pieces.size()) add(bytes_of(frames[offered++]));

  std::array<char, kCopiedBytesMax> copy;
  if (count > 1 && size <= copy.size()) {
    char* end = copy.data();
    for (const iovec& piece : std::span(pieces).first(count)) {
      end = std::copy_n(static_cast<const char*>(piece.iov_base), piece.iov_len, end);
    }
    pieces[0] = {copy.data(), size};
    count = 1;
  }

  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  ssize_t sent = 0;
  do {
    sent = count == 1 ? ::send(socket_.get(), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                      : ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) {
      return {.frames = 0, .state = Written::State::kBroken};
    }
    want_writable();
    return {.frames = 0, .state = Written::State::kFull};
  }

  std::size_t done = partly_sent_ + static_cast<std::size_t>(sent);
  if (head_ && done >= head_->size()) {
    done -= head_->size();
    head_.reset();
  }
  std::size_t whole = 0;
  if (!head_) {
    while (whole < offered && done >= bytes_of(frames[whole]).size()) done -= bytes_of(frames[whole++]).size();
  }
  partly_sent_ = static_cast<std::uint32_t>(done);
  if (whole == frames.size() || (whole == offered && !head_)) return {.frames = whole, .state = Written::State::kAll};
  want_writable();
  return {.frames = whole, .state = Written::State::kFull};
}

/// Few sockets are ever full, so they are not watched for it before.
void StreamSocket::want_writable() {
  if (!std::exchange(wants_writable_, true)) reactor_.rewatch(socket_.get(), *this);
}

void StreamSocket::finish() {
  if (std::exchange(owner_, nullptr) == nullptr) return;  // nobody is there to be told
  const bool at_border = !head_ && partly_sent_ == 0;
  if (framing_ == Framing::kChunked && at_border) {
    constexpr std::string_view kLastChunk = "0\r\n\r\n";
    // When it does not fit the client sees a broken body, and comes back: as it is to do.
    [[maybe_unused]] const ssize_t sent =
        ::send(socket_.get(), kLastChunk.data(), kLastChunk.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  ::shutdown(socket_.get(), SHUT_WR);
}

void StreamSocket::on_ready(Ready ready) {
  if (owner_ == nullptr) return;
  if (ready.broken || (ready.readable && client_is_gone())) {
    std::exchange(owner_, nullptr)->on_closed();
    return;
  }
  if (ready.writable) owner_->on_writable();
}

/// Reads what the client sends, which means nothing on a stream, to find its end. A client that shuts its direction is
/// gone: it could not be told from one that has closed until the next write, and would be kept for nothing meanwhile.
bool StreamSocket::client_is_gone() {
  while (true) {
    const std::span<char> scratch = reactor_.scratch();
    const ssize_t got = ::recv(socket_.get(), scratch.data(), scratch.size(), MSG_DONTWAIT);
    if (got == 0) return true;
    if (got < 0) {
      if (errno == EINTR) continue;
      return errno != EAGAIN && errno != EWOULDBLOCK;
    }
    input_bytes_ += static_cast<std::uint32_t>(got);
    if (input_bytes_ > kInputBytesMax) return true;
  }
}

}  // namespace rillgate::http
