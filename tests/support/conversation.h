// A client that talks to an ApiWorld over a pair of sockets, all on one thread: bytes go in as they are cut, and all
// that the server answers comes out.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "http/impl/connection.h"
#include "support/api_world.h"

namespace rillgate::test {

class Conversation final : public io::Watcher {
 public:
  /// `on_end` is called when the server has ended the connection.
  Conversation(ApiWorld& world, http::ConnectionContext& context, std::function<void()> on_end)
      : reactor_(world.reactor), on_end_(std::move(on_end)) {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) != 0) std::abort();
    socket_ = io::Fd(pair[0]);
    if (!reactor_.watch(socket_.get(), *this)) std::abort();
    auto* const connection = new http::Server::Connection(context, io::Fd(pair[1]), http::PeerAddress{});
    connection->start();  // deletes itself at its end
  }

  /// The server reads this piece before the next one is sent.
  void send(std::string piece) {
    pieces_.push_back(std::move(piece));
    if (pieces_.size() == 1) send_soon();
  }
  /// Half-closes once all is sent.
  void finish() { send({}); }

  [[nodiscard]] const std::string& received() const { return received_; }

  void on_ready(Ready ready) override {
    if (ready.writable && !pieces_.empty()) send_soon();
    std::span<char> scratch = reactor_.scratch();
    while (socket_) {
      const ssize_t got = ::recv(socket_.get(), scratch.data(), scratch.size(), MSG_DONTWAIT);
      if (got > 0) {
        received_.append(scratch.data(), static_cast<std::size_t>(got));
      } else if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return;
      } else {
        socket_ = {};
        on_end_();
      }
    }
  }

 private:
  void send_soon() {
    reactor_.post([this] {
      if (!socket_ || pieces_.empty()) return;
      std::string& piece = pieces_.front();
      if (piece.empty()) {
        ::shutdown(socket_.get(), SHUT_WR);
      } else {
        const ssize_t sent = ::send(socket_.get(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        piece.erase(0, sent > 0 ? static_cast<std::size_t>(sent) : 0);
        if (!piece.empty()) return;  // on_ready() goes on
      }
      pieces_.pop_front();
      if (!pieces_.empty()) send_soon();
    });
  }

  io::Reactor& reactor_;
  std::function<void()> on_end_;
  io::Fd socket_;
  std::deque<std::string> pieces_;
  std::string received_;
};

}  // namespace rillgate::test
