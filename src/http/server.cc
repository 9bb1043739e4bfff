#include "http/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <latch>

#include "http/impl/worker.h"

namespace rillgate::http {
namespace {

/// The kernel cuts it to net.core.somaxconn. A crowd that returns at once must not run into SYN retries of seconds.
constexpr int kBacklog = 65535;
/// Unsent bytes in the kernel for each connection: what waits longer waits where it is counted.
constexpr int kUnsentBytesMax = 128 * 1024;
/// A peer that vanished without a word is found after about kKeepIdle + kKeepCount * kKeepInterval seconds.
constexpr int kKeepIdle = 60;
constexpr int kKeepInterval = 15;
constexpr int kKeepCount = 4;
/// Descriptors kept back for files and for clients that are turned away politely.
constexpr std::uint64_t kReservedDescriptors = 64;
/// Pause of a listener after it found no descriptor.
constexpr std::chrono::milliseconds kAcceptPause{100};
/// Connections accepted before others get the thread.
constexpr int kAcceptsPerRound = 512;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

std::expected<SocketAddress, ListenError> socket_address(const ListenAddress& address) {
  SocketAddress result;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    result.size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    result.size = sizeof(sockaddr_in6);
  } else {
    return std::unexpected(
        ListenError{ListenError::Kind::kOther, fmt::format("'{}' is not an IPv4 or IPv6 address", address.host)});
  }
  return result;
}

PeerAddress peer_address(const sockaddr_storage& storage) {
  PeerAddress peer;
  if (storage.ss_family == AF_INET) {
    peer.bytes[10] = peer.bytes[11] = 0xff;
    std::memcpy(peer.bytes.data() + 12, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, 4);
  } else {
    std::memcpy(peer.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, 16);
  }
  return peer;
}

void set_option(int socket, int level, int name, int value) {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

ListenError listen_error(const char* what, const std::string& address) {
  using enum ListenError::Kind;
  switch (const int error = errno) {
    case EADDRINUSE:
      return {kTaken, fmt::format("{} is taken by another process; stop it or set another `listen`", address)};
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return {kNoSuchAddress, fmt::format("this machine has no address {}; set another `listen`", address)};
    default:
      return {kOther, fmt::format("can't {} {}: {}", what, address, std::strerror(error))};
  }
}

enum class Share : bool { kNo, kYes };

std::expected<io::Fd, ListenError> bound_socket(const SocketAddress& address, const std::string& text, Share share) {
  const auto failed = [&](const char* what) { return std::unexpected(listen_error(what, text)); };
  io::Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return failed("make a socket for");
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (share == Share::kYes) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.storage.ss_family == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  // Accepted sockets inherit these.
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytesMax);
  set_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdle);
  set_option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, kKeepInterval);
  set_option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, kKeepCount);
  if (::bind(fd.get(), address.get(), address.size) != 0) return failed("listen on");
  return fd;
}

/// Runs `task` on the worker's reactor and waits for it.
template <class Workers, class Task>
void on_each(const Workers& workers, Task task) {
  std::latch done(static_cast<std::ptrdiff_t>(workers.size()));
  for (const auto& worker : workers) {
    worker->reactor.post([&task, &done, &worker = *worker] {
      task(worker);
      done.count_down();
    });
  }
  done.wait();
}

}  // namespace

// ---- Server

Server::Server(const std::vector<io::Reactor*>& reactors, Handler& handler, const ServerOptions& options)
    : handler_(handler), options_(options) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  crowded_from_ =
      limit.rlim_cur > 2 * kReservedDescriptors ? limit.rlim_cur - kReservedDescriptors : limit.rlim_cur / 2;
  for (io::Reactor* reactor : reactors) workers_.push_back(std::make_unique<Worker>(*this, *reactor));
}

Server::~Server() = default;

std::expected<std::uint16_t, ListenError> Server::listen(const ListenAddress& address) {
  auto target = socket_address(address);
  if (!target) return std::unexpected(target.error());
  const bool is_v6 = target->storage.ss_family == AF_INET6;
  const std::string text = fmt::format(fmt::runtime(is_v6 ? "[{}]:{}" : "{}:{}"), address.host, address.port);
  {
    // Without SO_REUSEPORT first: else a second server would share the port unseen. It does not listen, so no client
    // comes to a socket that is about to go.
    auto probe = bound_socket(*target, text, Share::kNo);
    if (!probe) return std::unexpected(probe.error());
    target->size = sizeof target->storage;
    ::getsockname(probe->get(), reinterpret_cast<sockaddr*>(&target->storage), &target->size);
  }
  for (const auto& worker : workers_) {
    auto socket = bound_socket(*target, text, Share::kYes);
    if (!socket) return std::unexpected(socket.error());
    if (::listen(socket->get(), kBacklog) != 0) return std::unexpected(listen_error("listen on", text));
    worker->listeners.push_back(std::make_unique<Listener>(*worker, *std::move(socket)));
  }
  return ntohs(is_v6 ? reinterpret_cast<const sockaddr_in6&>(target->storage).sin6_port
                     : reinterpret_cast<const sockaddr_in&>(target->storage).sin_port);
}

void Server::start() {
  for (const auto& worker : workers_) {
    worker->reactor.post([&worker = *worker] {
      for (const auto& listener : worker.listeners) listener->start();
    });
  }
}

void Server::stop_accepting() {
  on_each(workers_, [](Worker& worker) { worker.listeners.clear(); });
}

void Server::close_connections() {
  on_each(workers_, [](Worker& worker) {
    for (auto at = worker.connections.begin(); at != worker.connections.end();) {
      Connection& connection = *at;
      ++at;
      connection.end();
    }
  });
  // Their end comes with the end of the reactors' round.
  on_each(workers_, [](Worker&) {});
}

// ---- Worker and Listener

Server::Worker::Worker(Server& owner, io::Reactor& loop)
    : server(owner),
      reactor(loop),
      context(loop, owner.handler_, owner.options_, owner.closing_, owner.connections_),
      spare(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

void Server::Worker::add(io::Fd socket, const PeerAddress& peer) {
  auto* const connection = new Connection(context, std::move(socket), peer);
  connections.push_back(*connection);
  connection->start();
}

Server::Listener::~Listener() {
  worker_.reactor.unwatch_listener(socket_.get());
}

void Server::Listener::start() {
  if (!worker_.reactor.watch_listener(socket_.get(), *this)) {
    worker_.reactor.start(*this, worker_.reactor.now() + kAcceptPause);
  }
}

void Server::Listener::on_time(io::Time) {
  start();
}

void Server::Listener::on_ready(Ready) {
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    io::Fd accepted(
        ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted) {
      worker_.add(std::move(accepted), peer_address(storage));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      refuse_one();
      worker_.reactor.unwatch_listener(socket_.get());
      worker_.reactor.start(*this, worker_.reactor.now() + kAcceptPause);
      return;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    // The rest (ECONNABORTED and the like) concerns one client only.
  }
}

/// The last descriptor serves to say why there is none.
void Server::Listener::refuse_one() {
  worker_.spare = {};
  if (const io::Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)); client) {
    Response response = problem(503, "the server has no descriptor left for another connection; come back later");
    const std::string answer = fmt::format(
        "HTTP/1.1 503 {}\r\nContent-Type: {}\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
        reason_phrase(503), response.content_type, response.body.size(), response.body);
    [[maybe_unused]] const ssize_t sent =
        ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(client.get(), SHUT_WR);
  }
  worker_.spare = io::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace rillgate::http
