// HTTP/1.1 requests out of bytes: RFC 9112, read strictly where laxness is dangerous. No socket, no clock: bytes go in,
// requests come out, so it can be fuzzed and cut at every byte.
//
// Boost.Beast parses the head; what it lets pass and we do not (no or two Host fields, folded lines, transfer codings
// other than `chunked`, control characters) is refused here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/chunked.h"
#include "http/message.h"

namespace rillgate::http {

class RequestParser {
 public:
  static constexpr std::size_t kHeadBytesMax = 16 * 1024;

  enum class State : std::uint8_t {
    kIdle,      // no byte of a request has come yet
    kHead,      // in the middle of the head
    kBody,      // the head is whole, the body is not
    kComplete,  // request() is valid until next()
    kFailed,    // failure() says why; the connection can't be used further
  };
  struct Failure {
    int status = 400;
    std::string detail;
  };

  explicit RequestParser(std::uint64_t body_bytes_max);
  RequestParser(const RequestParser&) = delete;
  ~RequestParser();

  /// Takes bytes of the present request and returns how many; it stops at its end.
  std::size_t consume(std::string_view bytes);
  [[nodiscard]] State state() const { return state_; }

  /// True once, when the head is whole and the client waits for "100 Continue" before it sends the body.
  [[nodiscard]] bool take_expect_continue();

  /// In kComplete: `peer` and `request_id` are the caller's to fill in.
  [[nodiscard]] Request& request() { return request_; }
  /// Whether the connection may carry another request after this one.
  [[nodiscard]] bool keep_alive() const { return keep_alive_; }
  [[nodiscard]] const Failure& failure() const { return failure_; }

  /// After kComplete: on to the next request.
  void next();

 private:
  class Beast;

  void fail(int status, std::string_view detail);
  std::size_t consume_head(std::string_view bytes);
  void parse_head();
  [[nodiscard]] bool check_fields();
  [[nodiscard]] bool split_target(std::string_view target);
  std::size_t consume_body(std::string_view bytes);
  std::size_t skip_blank_lines(std::string_view bytes);

  const std::uint64_t body_bytes_max_;
  State state_ = State::kIdle;
  bool keep_alive_ = false;
  bool expects_continue_ = false;
  std::string head_;
  std::string body_;
  std::uint64_t body_left_ = 0;         // of a body with a Content-Length
  std::optional<ChunkedBody> chunked_;  // the body comes in chunks
  bool blank_line_begun_ = false;       // the CR of an empty line before a request
  Request request_;
  Failure failure_;
};

}  // namespace rillgate::http
