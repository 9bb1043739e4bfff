// Changes of reports a second over HTTP: CLIENTS keep-alive connections, each with a report of its own and one request
// under way. One thread drives them all, so that the client takes little of the machine from the server.
// Prints one JSON object. bench/run starts the server.

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "turn.h"

namespace rillgate::bench {
namespace {

struct Settings {
  std::uint16_t port = 3000;
  std::size_t clients = 64;
  std::chrono::milliseconds round{1000};
};

[[noreturn]] void give_up(const std::string& reason) {
  fmt::print(stderr, "reports_http: {}\n", reason);
  std::exit(1);
}

/// One connection. It makes a report and then changes it to and fro.
class Client {
 public:
  Client(const Settings& settings, std::size_t number)
      : user_(fmt::format("user_id=0198c0de-0000-7000-8000-{:012x}", number)),
        socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(settings.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      give_up(fmt::format("cannot connect to port {}: {}", settings.port, std::strerror(errno)));
    }
    fcntl(socket_, F_SETFL, O_NONBLOCK);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { close(socket_); }

  [[nodiscard]] int socket_descriptor() const { return socket_; }

  void create() { send(fmt::format("POST /v4/new/report?{} HTTP/1.1\r\nHost: bench\r\n\r\n", user_)); }

  void change() {
    is_pending_ = !is_pending_;
    const std::string body =
        fmt::format(R"({{"id":"{}","status":"{}"}})", report_, is_pending_ ? "pending" : "canceled");
    send(fmt::format("PUT /v4/report?{} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n{}", user_, body.size(),
                     body));
  }

  /// Reads what has come. True once the answer is whole; it must be a success.
  bool take_answer() {
    std::array<char, 4096> buffer;
    const ssize_t got = recv(socket_, buffer.data(), buffer.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) give_up("the server has closed a connection");
    answer_.append(buffer.data(), static_cast<std::size_t>(got));
    const std::size_t head = answer_.find("\r\n\r\n");
    if (head == std::string::npos || answer_.size() < head + 4 + number_after("Content-Length: ")) return false;
    if (!answer_.starts_with("HTTP/1.1 20")) give_up("refused: " + answer_);
    if (report_.empty()) report_ = answer_.substr(answer_.find(R"("reportId":")") + 12, 36);
    answer_.clear();
    return true;
  }

  SteadyClock::time_point asked;

 private:
  void send(const std::string& request) {
    asked = SteadyClock::now();
    // A request is small and the one before is answered, so the socket has room for it.
    if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
      give_up("cannot send");
    }
  }

  [[nodiscard]] std::size_t number_after(std::string_view name) const {
    std::size_t number = 0;
    const std::size_t at = answer_.find(name) + name.size();
    std::from_chars(answer_.data() + at, answer_.data() + answer_.size(), number);
    return number;
  }

  const std::string user_;
  const int socket_;
  std::string report_;
  std::string answer_;
  bool is_pending_ = true;
};

/// Every client asks again as soon as it is answered, until the round is over and all are answered.
Turn measure(const Settings& settings) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<Client>> clients;
  for (std::size_t number = 0; number < settings.clients; ++number) {
    clients.push_back(std::make_unique<Client>(settings, number));
    epoll_event event{.events = EPOLLIN, .data = {.ptr = clients.back().get()}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, clients.back()->socket_descriptor(), &event);
  }
  const auto each_answered = [&](auto&& on_answer) {
    for (std::size_t waiting = clients.size(); waiting > 0;) {
      std::array<epoll_event, 64> events;
      const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 10'000);
      if (count == 0) give_up("the server has not answered for 10 s");
      for (int i = 0; i < count; ++i) {
        auto& client = *static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (client.take_answer() && !on_answer(client)) --waiting;
      }
    }
  };

  for (const auto& client : clients) client->create();
  each_answered([](Client&) { return false; });

  std::vector<double> latencies_ms;
  const auto begin = SteadyClock::now();
  for (const auto& client : clients) client->change();
  each_answered([&](Client& client) {
    latencies_ms.push_back(ms_since(client.asked));
    const bool goes_on = SteadyClock::now() < begin + settings.round;
    if (goes_on) client.change();
    return goes_on;
  });
  const auto took = SteadyClock::now() - begin;
  close(epoll);
  return summary(latencies_ms, took);
}

Settings settings_of(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const int number = std::atoi(argv[i + 1]);
    if (number < 1 || number > 60'000) give_up(std::string(flag) + " takes a number from 1 to 60000");
    if (flag == "--port")
      settings.port = static_cast<std::uint16_t>(number);
    else if (flag == "--clients")
      settings.clients = static_cast<std::size_t>(number);
    else if (flag == "--round-ms")
      settings.round = std::chrono::milliseconds(number);
    else
      give_up("accepted: --port N, --clients N, --round-ms N");
  }
  return settings;
}

}  // namespace
}  // namespace rillgate::bench

int main(int argc, char** argv) {
  using namespace rillgate::bench;
  fmt::print("{{{}}}\n", json_member("http", measure(settings_of(argc, argv))));
}
