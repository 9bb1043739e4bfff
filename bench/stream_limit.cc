// The limit: the least work that still is server-sent events over HTTP on the wire, on one thread. It reads requests
// as stream_load sends them, one in a segment, and does nothing else that a server must: no checks, no history, no
// bounds. What does not fit a socket at once is dropped, and counted at the end.
//
//   stream_limit PORT [join]
//
// With `join`, broadcasts that came in one round go out as one write to each stream, as a busy server may do.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rillgate::bench {
namespace {

constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kToAll = "=* ";
constexpr int kBacklog = 65535;
constexpr std::size_t kStreamsMax = 65536;
constexpr std::size_t kNone = SIZE_MAX;

volatile std::sig_atomic_t g_stopped = 0;

class Limit {
 public:
  Limit(std::uint16_t port, bool joins)
      : joins_(joins), epoll_(::epoll_create1(EPOLL_CLOEXEC)), streams_(kStreamsMax, -1) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(listener_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, kBacklog) != 0) {
      fmt::print(stderr, "stream_limit: can't listen on port {}\n", port);
      std::exit(1);
    }
    watch(listener_);
  }

  void run() {
    std::array<epoll_event, 512> events;
    while (g_stopped == 0) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_) {
          accept();
        } else {
          read(fd);
        }
      }
      if (!joined_.empty()) send_joined();
    }
    fmt::print(stderr, "stream_limit: {} events dropped\n", dropped_);
  }

 private:
  void watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void accept() {
    for (int fd; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) watch(fd);
  }

  void read(int fd) {
    std::array<char, 64 * 1024> buffer;
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
      ::close(fd);
      const std::size_t number = std::exchange(number_of_[static_cast<std::size_t>(fd)], kNone);
      if (number != kNone) streams_[number] = -1;
      return;
    }
    const std::string_view request(buffer.data(), static_cast<std::size_t>(got));
    if (request.starts_with("GET")) {
      const std::size_t number = number_in(request);
      streams_[number] = fd;
      number_of_[static_cast<std::size_t>(fd)] = number;
      end_ = std::max(end_, number + 1);
      send(fd, kHead);
      return;
    }
    event_.assign("data: ").append(request.substr(request.find("\r\n\r\n") + 4)).append("\n\n");
    if (!request.substr(0, request.find('\r')).contains(kToAll)) {
      send(streams_[number_in(request)], event_);
    } else if (joins_) {
      joined_ += event_;
      unanswered_.push_back(fd);
      return;
    } else {
      send_to_all(event_);
    }
    send(fd, kAnswer);
  }

  static std::size_t number_in(std::string_view request) {
    const std::string_view digits = request.substr(request.find("=u") + 2);
    std::size_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number % kStreamsMax;
  }

  void send(int fd, std::string_view bytes) {
    if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) != std::ssize(bytes)) ++dropped_;
  }
  void send_to_all(std::string_view bytes) {
    for (std::size_t number = 0; number < end_; ++number) {
      if (streams_[number] >= 0) send(streams_[number], bytes);
    }
  }
  void send_joined() {
    send_to_all(joined_);
    for (const int fd : unanswered_) send(fd, kAnswer);
    joined_.clear();
    unanswered_.clear();
  }

  const bool joins_;
  const int epoll_;
  int listener_ = -1;
  std::vector<int> streams_;                                                               // by number
  std::size_t end_ = 0;                                                                    // of the numbers in use
  std::vector<std::size_t> number_of_ = std::vector<std::size_t>(2 * kStreamsMax, kNone);  // by descriptor
  std::string event_;
  std::string joined_;
  std::vector<int> unanswered_;
  std::uint64_t dropped_ = 0;
};

}  // namespace
}  // namespace rillgate::bench

int main(int count, char** words) {
  std::signal(SIGTERM, [](int) { rillgate::bench::g_stopped = 1; });
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const int port = count > 1 ? std::atoi(words[1]) : 9100;
  rillgate::bench::Limit(static_cast<std::uint16_t>(port), count > 2 && std::string_view(words[2]) == "join").run();
  return 0;
}
