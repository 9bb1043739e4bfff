#include "http/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <utility>

#include "base/text.h"
#include "http/query.h"

namespace rillgate::http {
namespace {

namespace beast = boost::beast::http;

constexpr std::string_view kEndOfHead = "\r\n\r\n";

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

bool is_visible(char c) {
  return static_cast<unsigned char>(c) > ' ' && c != 0x7f;
}

/// What is wrong with the bytes of a head, whatever they mean; empty when nothing is. The first `checked` bytes are
/// known to be right, so a head that comes byte by byte is looked at once.
std::string_view malformed_head(std::string_view head, std::size_t checked) {
  char before = checked == 0 ? '\n' : head[checked - 1];
  for (std::size_t i = checked; i < head.size(); ++i) {
    if (before != '\r') {
      const std::size_t begin = i;
      while (i < head.size() && is_visible(head[i])) ++i;  // nearly all are
      if (i > begin) before = head[i - 1];
      if (i == head.size()) break;
    }
    const auto c = static_cast<unsigned char>(head[i]);
    const char last = std::exchange(before, head[i]);
    if (last == '\r' && c != '\n') return "a CR without LF is in the head; end each line with CRLF";
    if (c == '\n' && last != '\r') return "a line of the head ends with LF alone; end each line with CRLF";
    if ((c == ' ' || c == '\t') && last == '\n') {
      return "a line of the head begins with a blank; folded lines are obsolete, write each field in one line";
    }
    if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) {
      return "a control character is in the head; leave it out or percent-encode it";
    }
  }
  return {};
}

bool is_host_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-._~!$&'()*+,;=%").contains(c);
}

/// RFC 9110, section 7.2: uri-host [":" port].
bool is_host(std::string_view host) {
  std::size_t name_end = 0;
  if (host.starts_with('[')) {
    name_end = host.find(']');
    if (name_end == std::string_view::npos) return false;
    const std::string_view literal = host.substr(1, name_end - 1);
    if (!literal.contains(':') || !PeerAddress::parse(literal)) return false;
    ++name_end;
  } else {
    name_end = std::min(host.find(':'), host.size());
    if (name_end == 0 || !std::ranges::all_of(host.substr(0, name_end), is_host_character)) return false;
  }
  if (name_end == host.size()) return true;
  const std::string_view port = host.substr(name_end + 1);
  if (host[name_end] != ':') return false;
  if (port.empty()) return true;
  const auto number = parse_decimal(port);
  return number && *number <= 65535;
}

}  // namespace

/// Beast's parser of heads, with its results left in the request.
class RequestParser::Beast final : public beast::basic_parser<true> {
 public:
  explicit Beast(RequestParser& parser) : parser_(parser) {
    header_limit(kHeadBytesMax + 1);  // the limit was held before
    body_limit(parser.body_bytes_max_);
  }
  [[nodiscard]] std::string_view target() const { return target_; }

 private:
  using ErrorCode = boost::beast::error_code;
  using Text = boost::beast::string_view;

  void on_request_impl(beast::verb, Text method, Text target, int version, ErrorCode&) override {
    parser_.request_.method = view(method);
    parser_.request_.minor_version = version % 10;
    target_ = view(target);
  }
  void on_field_impl(beast::field, Text name, Text value, ErrorCode&) override {
    parser_.request_.fields.push_back({view(name), trimmed(view(value))});
  }
  void on_response_impl(int, Text, int, ErrorCode&) override {}
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(Text body, ErrorCode&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, Text, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, ErrorCode&) override { return body.size(); }
  void on_finish_impl(ErrorCode&) override {}

  RequestParser& parser_;
  std::string_view target_;
};

RequestParser::RequestParser(std::uint64_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}
RequestParser::~RequestParser() = default;

void RequestParser::fail(int status, std::string_view detail) {
  state_ = State::kFailed;
  failure_ = {.status = status, .detail = std::string(detail)};
}

void RequestParser::next() {
  // A large body's memory is not kept for small ones.
  constexpr std::size_t kKeptBytesMax = 16 * 1024;
  head_.clear();
  body_.clear();
  chunked_.reset();
  if (body_.capacity() > kKeptBytesMax) body_.shrink_to_fit();
  request_.fields.clear();
  request_.body = {};
  request_.route = 0;
  expects_continue_ = false;
  state_ = State::kIdle;
}

bool RequestParser::take_expect_continue() {
  return std::exchange(expects_continue_, false);
}

std::size_t RequestParser::consume(std::string_view bytes) {
  std::size_t consumed = skip_blank_lines(bytes);
  if (consumed < bytes.size() && (state_ == State::kIdle || state_ == State::kHead)) {
    consumed += consume_head(bytes.substr(consumed));
  }
  if (state_ == State::kBody) consumed += consume_body(bytes.substr(consumed));
  return consumed;
}

/// RFC 9112, section 2.2: empty lines before a request are ignored.
std::size_t RequestParser::skip_blank_lines(std::string_view bytes) {
  std::size_t skipped = 0;
  while (state_ == State::kIdle && skipped < bytes.size()) {
    if (!blank_line_begun_ && bytes[skipped] != '\r') break;
    if (blank_line_begun_ && bytes[skipped] != '\n') {
      fail(400, "a CR without LF stands before the request; end each line with CRLF");
    }
    blank_line_begun_ = !blank_line_begun_;
    ++skipped;
  }
  return skipped;
}

std::size_t RequestParser::consume_head(std::string_view bytes) {
  state_ = State::kHead;
  const std::size_t before = head_.size();
  // The end may lie across the border of two inputs.
  const std::size_t search_from = before < 3 ? 0 : before - 3;
  head_.append(bytes.substr(0, kHeadBytesMax + 1 - before));
  const std::size_t end = head_.find(kEndOfHead, search_from);
  const std::size_t head_bytes = end == std::string::npos ? head_.size() : end + kEndOfHead.size();
  head_.resize(head_bytes);
  const std::size_t consumed = head_bytes - before;
  // What can't become a head is refused at once, not when the client has sent all of it.
  if (const std::string_view complaint = malformed_head(head_, before); !complaint.empty()) {
    fail(400, complaint);
  } else if (end != std::string::npos && head_bytes <= kHeadBytesMax) {
    parse_head();
  } else if (head_bytes > kHeadBytesMax) {
    fail(431,
         fmt::format("the request's head is larger than {} bytes; send fewer or shorter header fields", kHeadBytesMax));
  }
  return consumed;
}

void RequestParser::parse_head() {
  Beast beast_parser(*this);
  boost::beast::error_code error;
  beast_parser.put(boost::asio::buffer(head_), error);
  if (error == beast::error::body_limit) {
    fail(413, fmt::format("the body is larger than limits.body, {} bytes; send less", body_bytes_max_));
    return;
  }
  if (error && error != beast::error::need_more) {
    fail(400, fmt::format("the request's head can't be read ({}); send what RFC 9112 describes", error.message()));
    return;
  }
  if (!split_target(beast_parser.target()) || !check_fields()) return;
  keep_alive_ = beast_parser.keep_alive();
  if (beast_parser.chunked()) chunked_.emplace(body_bytes_max_);
  body_left_ = chunked_ ? 0 : beast_parser.content_length().value_or(0);
  state_ = chunked_ || body_left_ > 0 ? State::kBody : State::kComplete;
}

bool RequestParser::split_target(std::string_view target) {
  bool is_known_form = target.starts_with('/') || (target == "*" && request_.method == "OPTIONS");
  // RFC 9112, section 3.2.2: a server takes the absolute form too.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (equals_ignoring_case(target.substr(0, scheme.size()), scheme)) {
      target.remove_prefix(scheme.size());
      const std::size_t end = std::min(target.find_first_of("/?"), target.size());
      if (!is_host(target.substr(0, end))) {
        fail(400, "the request's target names no host; it is http://HOST/PATH, or better the path alone");
        return false;
      }
      target.remove_prefix(end);
      is_known_form = true;
      break;
    }
  }
  if (!is_known_form) {
    fail(400, "the request's target is not a path; it begins with '/'");
    return false;
  }
  const std::size_t question = std::min(target.find('?'), target.size());
  auto path = percent_decode(target.substr(0, question), Plus::kLiteral);
  if (!path) {
    fail(400, path.error().what);
    return false;
  }
  request_.path = path->empty() ? "/" : *std::move(path);
  request_.query = target.substr(std::min(question + 1, target.size()));
  return true;
}

bool RequestParser::check_fields() {
  std::size_t hosts = 0;
  std::size_t lengths = 0;
  std::size_t codings = 0;
  for (const Field& field : request_.fields) {
    if (equals_ignoring_case(field.name, "Host")) {
      ++hosts;
      if (!is_host(field.value)) {
        fail(400,
             fmt::format("the Host field '{}' is malformed; it is a name or address and perhaps a port", field.value));
        return false;
      }
    } else if (equals_ignoring_case(field.name, "Content-Length")) {
      ++lengths;
      // Beast takes a list of equal numbers too.
      if (!parse_decimal(field.value)) {
        fail(400, fmt::format("the Content-Length '{}' is malformed; it is a number of bytes", field.value));
        return false;
      }
    } else if (equals_ignoring_case(field.name, "Transfer-Encoding")) {
      ++codings;
      if (!equals_ignoring_case(field.value, "chunked")) {
        fail(400, fmt::format("the transfer coding '{}' is not known; only 'chunked' is", field.value));
        return false;
      }
    } else if (equals_ignoring_case(field.name, "Expect")) {
      if (!equals_ignoring_case(field.value, "100-continue")) {
        fail(417, fmt::format("the expectation '{}' is not known; only '100-continue' is", field.value));
        return false;
      }
      expects_continue_ = request_.minor_version >= 1;
    }
  }
  if (hosts > 1 || (hosts == 0 && request_.minor_version >= 1)) {
    fail(400, fmt::format("the request has {} Host fields; HTTP/1.1 wants exactly one", hosts == 0 ? "no" : "several"));
    return false;
  }
  if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0)) {
    fail(400, "the body's length is given more than once; send one Content-Length or one 'Transfer-Encoding: chunked'");
    return false;
  }
  if (codings > 0 && request_.minor_version == 0) {
    fail(400, "HTTP/1.0 has no transfer codings; send a Content-Length");
    return false;
  }
  return true;
}

std::size_t RequestParser::consume_body(std::string_view bytes) {
  std::size_t used = 0;
  if (chunked_) {
    used = chunked_->consume(bytes, body_);
    switch (chunked_->state()) {
      case ChunkedBody::State::kMore:
        return used;
      case ChunkedBody::State::kMalformed:
        fail(400, "the body's chunks can't be read; send them as RFC 9112, section 7.1, describes");
        return used;
      case ChunkedBody::State::kTooLarge:
        fail(413, fmt::format("the body is larger than limits.body, {} bytes; send less", body_bytes_max_));
        return used;
      case ChunkedBody::State::kDone:
        break;
    }
  } else {
    used = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, bytes.size()));
    body_.append(bytes.substr(0, used));
    body_left_ -= used;
    if (body_left_ > 0) return used;
  }
  request_.body = body_;
  state_ = State::kComplete;
  return used;
}

}  // namespace rillgate::http
