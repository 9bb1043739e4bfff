// One accepted connection while it speaks HTTP/1.1 in requests and answers. When a request becomes a stream, the socket
// leaves for a StreamSocket and all of this is freed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/list.h"
#include "http/exchange.h"
#include "http/request_parser.h"
#include "http/server.h"
#include "io/fd.h"
#include "io/reactor.h"

namespace rillgate::http {

struct OpenConnection;  // tag: the connections of a worker

/// What all connections of a reactor share.
struct ConnectionContext {
  ConnectionContext(io::Reactor& its_reactor, Handler& its_handler, const ServerOptions& its_options,
                    const std::atomic<bool>& is_closing, std::atomic<std::uint64_t>& open_count);

  io::Reactor& reactor;
  Handler& handler;
  const ServerOptions& options;
  const std::atomic<bool>& closing;
  std::atomic<std::uint64_t>& open;  // connections and streams

  /// Makes `id` a value for X-Request-Id that no other request of this process has.
  void make_request_id(std::string& id);
  /// For the field Date, anew each second (RFC 9110, section 6.6.1).
  std::string_view date();

 private:
  const std::string request_id_prefix_;
  std::uint64_t request_ids_ = 0;
  std::string date_;
  std::int64_t date_second_ = 0;
};

class Server::Connection final : public io::Watcher,
                                 public io::Timer,
                                 public Exchange,
                                 public ListHook<OpenConnection> {
 public:
  Connection(ConnectionContext& context, io::Fd socket, const PeerAddress& peer);
  ~Connection();

  /// Begins to read; deletes itself at its end.
  void start();
  /// Sends what is still to be sent, if it fits, and closes.
  void end();

  void on_ready(Ready ready) override;
  void on_time(io::Time now) override;

  [[nodiscard]] Request& request() override { return parser_.request(); }
  [[nodiscard]] io::Reactor& reactor() override { return context_.reactor; }
  void respond(Response response) override;
  [[nodiscard]] Responder later() override;
  [[nodiscard]] std::unique_ptr<Sink> open_stream(const Response& head) override;

 private:
  enum class State : std::uint8_t {
    kReading,    // waits for a request, or for the rest of one
    kHandling,   // a handler has the request
    kLingering,  // the last answer is sent; what the client still sends is thrown away, so that no reset overtakes it
    kClosed,     // or handed over; the object waits for its end
  };
  /// Bytes and time that a client may still send after it was answered for the last time.
  static constexpr std::size_t kLingerBytesMax = 4 * 1024 * 1024;
  static constexpr std::chrono::milliseconds kLingerTime{2'000};
  /// Answers that may wait for the client before no further request is read.
  static constexpr std::size_t kOutputBytesMax = 256 * 1024;
  /// Room for answers that an idle connection keeps.
  static constexpr std::size_t kKeptOutputBytesMax = 16 * 1024;
  /// Reads of one connection before the others get the thread, since whoever sends faster than it is served never runs
  /// dry.
  static constexpr int kReadsPerRound = 2;

  void close();
  void work();
  void finish_round();
  [[nodiscard]] bool has_room() const { return output_.size() - sent_ < kOutputBytesMax; }
  bool take_input();
  void take(std::string_view input);
  void handle_request();
  void refuse(int status, std::string_view detail);
  void flush();
  void linger();
  void set_timeout();
  void append_head(const Response& response, bool with_length);
  std::string_view request_id();

  ConnectionContext& context_;
  io::Fd socket_;
  const PeerAddress peer_;
  State state_ = State::kReading;
  RequestParser::State timed_state_ = RequestParser::State::kComplete;  // what the running time-out is for
  io::Reactor::Interest interest_ = io::Reactor::Interest::kInput;      // until the socket was full
  bool readable_ = false;
  bool hung_up_ = false;
  bool close_when_sent_ = false;
  bool working_ = false;
  bool finish_waits_ = false;  // for the end of the reactor's round
  std::size_t lingered_ = 0;
  RequestParser parser_;
  std::string unread_;  // input that came while a request was being handled, or had no room for its answer
  std::string output_;
  std::size_t sent_ = 0;  // of output_
  std::string own_request_id_;
  Responder::Handle handle_;
};

}  // namespace rillgate::http
