// One request and the ways to answer it.
#pragma once

#include <memory>
#include <string_view>

#include "http/message.h"
#include "http/sink.h"
#include "io/reactor.h"

namespace rillgate::http {

class Responder;

/// Exactly one of respond(), later() and open_stream() is called for each request, on the thread that handles it; after
/// later(), what goes on does so. The request stays valid until it is answered.
class Exchange {
 public:
  [[nodiscard]] virtual Request& request() = 0;
  [[nodiscard]] virtual io::Reactor& reactor() = 0;

  virtual void respond(Response response) = 0;
  [[nodiscard]] virtual Responder later() = 0;
  /// Answers with the response's head and leaves the body open; the connection's memory is freed when the handler
  /// returns, and what is left of it is the sink. The head goes out with the first write.
  [[nodiscard]] virtual std::unique_ptr<Sink> open_stream(const Response& head) = 0;

 protected:
  ~Exchange() = default;
};

/// Goes on with an exchange later and from any thread. When the client has gone meanwhile, nothing happens.
class Responder {
 public:
  /// Read and written on the reactor's thread only; null once the connection is gone.
  using Handle = std::shared_ptr<Exchange*>;

  Responder(io::Reactor& reactor, Handle handle) : reactor_(&reactor), handle_(std::move(handle)) {}
  Responder(Responder&&) = default;
  Responder& operator=(Responder&&) = default;

  /// `go_on` answers the exchange, on its reactor's thread. Once.
  void then(std::move_only_function<void(Exchange&)> go_on) {
    reactor_->post([handle = std::move(handle_), task = std::move(go_on)]() mutable {
      if (*handle != nullptr) task(**handle);
    });
  }
  /// Once, in place of then().
  void respond(Response response) {
    then([answer = std::move(response)](Exchange& exchange) mutable { exchange.respond(std::move(answer)); });
  }

 private:
  io::Reactor* reactor_;
  Handle handle_;
};

/// Handles requests of all reactors, on their threads; never blocks.
class Handler {
 public:
  virtual void handle(Exchange& exchange) = 0;
  /// Adds what every response has, those included that no handler saw (400, 408, 413, 431).
  virtual void decorate(const Request* request, Response& response) = 0;
  /// Told of every response, for counting and logs. `request` is null when it could not be read.
  virtual void on_response(const Request* request, int status) = 0;

 protected:
  ~Handler() = default;
};

}  // namespace rillgate::http
