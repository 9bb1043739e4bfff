// What one reactor has of a server: its listeners and its connections.
#pragma once

#include <memory>
#include <vector>

#include "base/list.h"
#include "http/impl/connection.h"
#include "http/server.h"
#include "io/fd.h"
#include "io/reactor.h"

namespace rillgate::http {

/// A listening socket of one reactor.
class Server::Listener final : public io::Watcher, public io::Timer {
 public:
  Listener(Worker& worker, io::Fd socket) : worker_(worker), socket_(std::move(socket)) {}
  ~Listener();
  void start();
  void on_ready(Ready ready) override;
  void on_time(io::Time now) override;

 private:
  void refuse_one();

  Worker& worker_;
  io::Fd socket_;
};

struct Server::Worker {
  Worker(Server& server, io::Reactor& reactor);

  void add(io::Fd socket, const PeerAddress& peer);

  Server& server;
  io::Reactor& reactor;
  ConnectionContext context;
  io::Fd spare;  // given up for a moment when descriptors have run out, to tell one client so
  std::vector<std::unique_ptr<Listener>> listeners;
  List<Connection, OpenConnection> connections;
};

}  // namespace rillgate::http
