// Listeners and connections: HTTP/1.1 on any number of reactors.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "io/reactor.h"

namespace rillgate::http {

struct ListenAddress {
  std::string host;  // an IPv4 or IPv6 address
  std::uint16_t port = 0;
};

struct ListenError {
  enum class Kind : std::uint8_t { kTaken, kNoSuchAddress, kOther };
  Kind kind;
  std::string what;
};

struct ServerOptions {
  std::uint64_t body_bytes_max = 64 * 1024;
  std::chrono::milliseconds head_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{75'000};
};

/// One set of addresses with one handler. Starts and stops on the main thread; connections live on the reactors.
class Server {
 public:
  /// `reactors` and `handler` outlive the server.
  Server(const std::vector<io::Reactor*>& reactors, Handler& handler, const ServerOptions& options);
  ~Server();

  /// Binds the address once for each reactor (SO_REUSEPORT), so that the kernel spreads the connections. Fails when
  /// another process holds the port, whatever socket options that one uses. Port 0 takes a free one. Returns the port.
  [[nodiscard]] std::expected<std::uint16_t, ListenError> listen(const ListenAddress& address);
  /// Begins to accept. The reactors run already, or will.
  void start();
  /// Accepts no more. Main thread; returns when all reactors know.
  void stop_accepting();
  /// From now on every answer ends its connection. Any thread.
  void close_after_answers() { closing_ = true; }
  /// Ends what is left of the connections that are no streams. Main thread; returns when all reactors have done it.
  void close_connections();

  /// Open connections, streams included. Any thread.
  [[nodiscard]] std::uint64_t connections() const { return connections_; }
  /// True when so many descriptors are in use that the rest is needed to turn clients away politely. Any thread.
  [[nodiscard]] bool crowded() const { return connections_ >= crowded_from_; }

  class Listener;
  class Connection;
  struct Shared;  // what connections need of the server

 private:
  struct Worker;  // the connections and listeners of one reactor

  Handler& handler_;
  const ServerOptions options_;
  std::atomic<bool> closing_{false};
  std::atomic<std::uint64_t> connections_{0};
  std::uint64_t crowded_from_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace rillgate::http
