#include "http/impl/connection.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <random>

#include "base/text.h"
#include "http/impl/stream_socket.h"

namespace rillgate::http {
namespace {

std::string random_prefix() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}-", random(), random());
}

bool is_sane_request_id(std::string_view id) {
  constexpr std::size_t kBytesMax = 128;
  return !id.empty() && id.size() <= kBytesMax && std::ranges::all_of(id, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.' || c == ':' || c == '/' || c == '+' || c == '=';
  });
}

}  // namespace

ConnectionContext::ConnectionContext(io::Reactor& its_reactor, Handler& its_handler, const ServerOptions& its_options,
                                     const std::atomic<bool>& is_closing, std::atomic<std::uint64_t>& open_count)
    : reactor(its_reactor),
      handler(its_handler),
      options(its_options),
      closing(is_closing),
      open(open_count),
      request_id_prefix_(random_prefix()) {}

void ConnectionContext::make_request_id(std::string& id) {
  id.clear();
  append_all(id, {request_id_prefix_, Decimal(++request_ids_)});
}

std::string_view ConnectionContext::date() {
  const auto now = std::chrono::system_clock::now();
  const std::int64_t second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (second != date_second_) {
    date_second_ = second;
    date_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(static_cast<std::time_t>(second)));
  }
  return date_;
}

Server::Connection::Connection(ConnectionContext& context, io::Fd socket, const PeerAddress& peer)
    : context_(context), socket_(std::move(socket)), peer_(peer), parser_(context.options.body_bytes_max) {
  context_.open.fetch_add(1, std::memory_order_relaxed);
}

Server::Connection::~Connection() {
  if (handle_) *handle_ = nullptr;  // not closed before: the server ends
  if (socket_) context_.open.fetch_sub(1, std::memory_order_relaxed);
}

void Server::Connection::start() {
  set_timeout();
  if (!context_.reactor.watch(socket_.get(), *this, interest_)) close();
}

void Server::Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (handle_) *std::exchange(handle_, nullptr) = nullptr;  // whoever answers later finds nobody
  io::TimerWheel::stop(*this);
  if (socket_) {
    socket_ = {};
    context_.open.fetch_sub(1, std::memory_order_relaxed);
  }
  context_.reactor.at_end_of_round([this] { delete this; });
}

void Server::Connection::end() {
  if (state_ != State::kClosed) flush();
  close();
}

void Server::Connection::on_ready(Ready ready) {
  if (state_ == State::kClosed) return;
  if (ready.broken) {
    close();
    return;
  }
  readable_ |= ready.readable;
  hung_up_ |= ready.hung_up;
  work();
}

/// Reads and handles until the socket gives no more or there is no room for answers, or a handler wants time. The
/// answers go out at the end of the round.
void Server::Connection::work() {
  if (working_) return;
  working_ = true;
  if (!has_room()) flush();
  int reads = 0;
  while (state_ == State::kReading && has_room() && reads < kReadsPerRound && take_input()) {
    ++reads;
    if (!has_room()) flush();
  }
  // What is left is told again, after the others have had their turn.
  if (state_ == State::kReading && reads == kReadsPerRound) context_.reactor.rewatch(socket_.get(), *this, interest_);
  if (state_ == State::kReading) set_timeout();
  working_ = false;
  if (state_ == State::kClosed || finish_waits_) return;
  finish_waits_ = true;
  context_.reactor.at_end_of_round([this] { finish_round(); });
}

void Server::Connection::finish_round() {
  finish_waits_ = false;
  if (state_ != State::kClosed) flush();
  while (state_ == State::kLingering && take_input()) {
  }
}

/// False when there is no input now.
bool Server::Connection::take_input() {
  if (!unread_.empty() && state_ == State::kReading) {
    const std::string input = std::exchange(unread_, {});
    take(input);
    return true;
  }
  if (!readable_) return false;
  const std::span<char> scratch = context_.reactor.scratch();
  const ssize_t got = ::recv(socket_.get(), scratch.data(), scratch.size(), 0);
  if (got < 0) {
    if (errno == EINTR) return true;
    readable_ = false;
    if (errno != EAGAIN && errno != EWOULDBLOCK) close();
    return false;
  }
  // The edge is used up by a short read; the end of the input, once announced, is read as well.
  if (static_cast<std::size_t>(got) < scratch.size() && !hung_up_) readable_ = false;
  if (state_ == State::kLingering) {
    lingered_ += static_cast<std::size_t>(got);
    if (got == 0 || lingered_ > kLingerBytesMax) close();
    return got > 0;
  }
  if (got == 0) {
    readable_ = false;
    close_when_sent_ = true;  // a client that has shut its own direction is still answered
    return false;
  }
  take({scratch.data(), static_cast<std::size_t>(got)});
  return true;
}

void Server::Connection::take(std::string_view input) {
  while (!input.empty() && state_ == State::kReading && has_room()) {
    input.remove_prefix(parser_.consume(input));
    if (parser_.state() == RequestParser::State::kComplete) {
      handle_request();
    } else if (parser_.state() == RequestParser::State::kFailed) {
      refuse(parser_.failure().status, parser_.failure().detail);
    } else if (parser_.take_expect_continue()) {
      output_ += "HTTP/1.1 100 Continue\r\n\r\n";
    }
  }
  if (state_ == State::kHandling || state_ == State::kReading) unread_.append(input);
}

void Server::Connection::handle_request() {
  state_ = State::kHandling;
  io::TimerWheel::stop(*this);
  Request& request = parser_.request();
  request.peer = peer_;
  request.request_id = request_id();
  context_.handler.handle(*this);
}

std::string_view Server::Connection::request_id() {
  if (const auto id = parser_.request().field("X-Request-Id"); id && is_sane_request_id(*id)) return *id;
  context_.make_request_id(own_request_id_);
  return own_request_id_;
}

void Server::Connection::append_head(const Response& response, bool with_length) {
  append_all(output_,
             {"HTTP/1.1 ", Decimal(static_cast<std::uint64_t>(response.status)), " ", reason_phrase(response.status),
              "\r\nDate: ", context_.date(), "\r\nX-Request-Id: ", parser_.request().request_id, "\r\n"});
  if (!response.content_type.empty()) append_all(output_, {"Content-Type: ", response.content_type, "\r\n"});
  output_ += response.fields;
  if (with_length && response.status != 204 && response.status != 304) {
    append_all(output_, {"Content-Length: ", Decimal(response.body.size()), "\r\n"});
  }
}

void Server::Connection::respond(Response response) {
  if (state_ != State::kHandling) return;
  Request& request = parser_.request();
  context_.handler.decorate(&request, response);
  const bool last = response.close || !parser_.keep_alive() || context_.closing.load(std::memory_order_relaxed);
  // RFC 9110, section 8.6: to HEAD the length is that of GET's answer, which an answer without a body does not tell.
  append_head(response, request.method != "HEAD" || !response.body.empty());
  output_ += last                         ? "Connection: close\r\n\r\n"
             : request.minor_version == 0 ? "Connection: keep-alive\r\n\r\n"
                                          : "\r\n";
  if (request.method != "HEAD") output_ += response.body;
  context_.handler.on_response(&request, response.status);
  parser_.next();
  state_ = State::kReading;
  if (last) {
    linger();
  } else if (!working_) {
    work();
  }
}

void Server::Connection::refuse(int status, std::string_view detail) {
  Response response = problem(status, detail);
  // The request may have been read far enough to know what was asked for; X-Request-Id is told in any case.
  parser_.request().request_id = request_id();
  context_.handler.decorate(nullptr, response);
  append_head(response, true);
  output_ += "Connection: close\r\n\r\n";
  output_ += response.body;
  context_.handler.on_response(nullptr, status);
  linger();
}

/// Nothing more is read as a request; the connection ends when the answer has arrived.
void Server::Connection::linger() {
  state_ = State::kLingering;
  close_when_sent_ = true;
  unread_.clear();
  context_.reactor.start(*this, context_.reactor.now() + context_.options.idle_timeout);
  if (!working_) work();
}

void Server::Connection::flush() {
  while (sent_ < output_.size()) {
    const ssize_t sent =
        ::send(socket_.get(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        close();
      } else if (std::exchange(interest_, io::Reactor::Interest::kAll) == io::Reactor::Interest::kInput) {
        context_.reactor.rewatch(socket_.get(), *this, interest_);
      }
      // A reader that is never quite done must not make the part behind it grow for ever.
      output_.erase(0, std::exchange(sent_, 0));
      return;
    }
    sent_ += static_cast<std::size_t>(sent);
  }
  output_.clear();
  if (output_.capacity() > kKeptOutputBytesMax) output_.shrink_to_fit();
  sent_ = 0;
  if (!close_when_sent_ || state_ == State::kHandling || state_ == State::kClosed) return;
  if (state_ == State::kReading) {  // the client had shut its direction, and every request is answered
    close();
    return;
  }
  // Once: the end of our direction. Then the client's end, or the time, closes the connection.
  close_when_sent_ = false;
  ::shutdown(socket_.get(), SHUT_WR);
  context_.reactor.start(*this, context_.reactor.now() + kLingerTime);
  readable_ = true;
}

void Server::Connection::set_timeout() {
  // A time-out runs from the beginning of what it limits, not from the last byte.
  const RequestParser::State parser_state = parser_.state();
  if (timed_state_ == parser_state && io::Timer::linked()) return;
  const bool first_request = timed_state_ == RequestParser::State::kComplete;
  timed_state_ = parser_state;
  const ServerOptions& options = context_.options;
  const auto limit = parser_state == RequestParser::State::kBody                    ? options.body_timeout
                     : parser_state == RequestParser::State::kHead || first_request ? options.head_timeout
                                                                                    : options.idle_timeout;
  context_.reactor.start(*this, context_.reactor.now() + limit);
}

void Server::Connection::on_time(io::Time) {
  const bool in_request = timed_state_ == RequestParser::State::kHead || timed_state_ == RequestParser::State::kBody;
  if (state_ == State::kReading && in_request) {
    const bool head = timed_state_ == RequestParser::State::kHead;
    refuse(408, fmt::format("the request's {} was not whole within {} ms; send it faster", head ? "head" : "body",
                            (head ? context_.options.head_timeout : context_.options.body_timeout).count()));
  } else {
    close();
  }
}

Responder Server::Connection::later() {
  if (!handle_) handle_ = std::make_shared<Exchange*>(this);
  return {context_.reactor, handle_};
}

std::unique_ptr<Sink> Server::Connection::open_stream(const Response& head) {
  Request& request = parser_.request();
  Response response = head;
  context_.handler.decorate(&request, response);
  const bool chunked = request.minor_version >= 1;
  append_head(response, false);
  output_ += chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Connection: close\r\n\r\n";
  context_.handler.on_response(&request, response.status);
  output_.erase(0, sent_);
  auto sink = std::make_unique<StreamSocket>(context_.reactor, std::move(socket_), context_.open, std::move(output_),
                                             chunked ? StreamSocket::Framing::kChunked : StreamSocket::Framing::kRaw);
  close();
  return sink;
}

}  // namespace rillgate::http
