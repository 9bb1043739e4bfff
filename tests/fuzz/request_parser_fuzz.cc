// The request parser against arbitrary bytes: it stands still at none, means the same however they are cut, stays
// within its limits, and what it accepts has the shape that the routes build on.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "http/request_parser.h"

namespace {

using rillgate::http::RequestParser;
using State = RequestParser::State;

constexpr std::uint64_t kBodyBytesMax = 200;
constexpr int kRequestsMax = 20;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(RequestParser& parser) {
  const rillgate::http::Request& request = parser.request();
  require(!request.method.empty() && request.body.size() <= kBodyBytesMax);
  require(request.path.starts_with('/') || (request.path == "*" && request.method == "OPTIONS"));
  require(request.minor_version == 0 || request.minor_version == 1);
  require(request.minor_version == 0 || request.field("Host"));
  require(!rillgate::has_control_characters(request.query));
  for (const auto& [name, value] : request.fields) {
    require(!name.empty() && !rillgate::has_control_characters(name));
    require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
    require(value == rillgate::trimmed(value));
  }
}

/// What comes of the input in pieces of at most `step` bytes.
std::string outcome(std::string_view input, std::size_t step) {
  RequestParser parser(kBodyBytesMax);
  std::string said;
  int requests = 0;
  while (!input.empty() && requests < kRequestsMax) {
    const std::string_view piece = input.substr(0, step);
    const std::size_t used = parser.consume(piece);
    require(used > 0 && used <= piece.size());
    input.remove_prefix(used);
    static_cast<void>(parser.take_expect_continue());
    if (parser.state() == State::kFailed) {
      const int status = parser.failure().status;
      require(status == 400 || status == 413 || status == 417 || status == 431);
      require(!parser.failure().detail.empty());
      return said + std::to_string(status);
    }
    if (parser.state() != State::kComplete) {
      require(used == piece.size());
      continue;
    }
    ++requests;
    check(parser);
    const rillgate::http::Request& request = parser.request();
    said.append(request.method).append(" ").append(request.path).append("?").append(request.query);
    for (const auto& [name, value] : request.fields) said.append("\n").append(name).append(":").append(value);
    said.append("\n\n").append(request.body).append(parser.keep_alive() ? "+" : "-");
    parser.next();
  }
  return said + std::to_string(static_cast<int>(parser.state()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string whole = outcome(input, input.size());
  require(outcome(input, 1) == whole);
  require(outcome(input, 1 + data[0] % 17) == whole);
  return 0;
}
