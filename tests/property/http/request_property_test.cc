// Requests that are made up here, written in any of the ways that HTTP allows, in a row and in any pieces, come out of
// the parser as they were made up. And bytes with a mistake in them mean the same however they are cut.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "http/query.h"
#include "unit/http/raw_requests.h"

namespace rillgate::http {
namespace {

using namespace std::string_literals;

struct Made {
  std::string bytes;
  std::string outcome;  // as test::outcome writes it
};

rc::Gen<std::string> any_bytes() {
  return rc::gen::container<std::string>(rc::gen::cast<char>(rc::gen::inRange(0, 256)));
}

rc::Gen<std::string> blanks() {
  return rc::gen::container<std::string>(rc::gen::element(' ', '\t'));
}

/// A body in chunks of any sizes, with what a client may write besides.
std::string chunked(std::string_view body) {
  std::string bytes;
  while (!body.empty()) {
    const auto size = *rc::gen::inRange<std::size_t>(1, body.size() + 1);
    const auto extension = *rc::gen::element(""s, ";x"s, " ; name=\"a b;\""s);
    const auto zeros = *rc::gen::element(""s, "0"s, "000"s);
    bytes += *rc::gen::arbitrary<bool>() ? fmt::format("{}{:x}", zeros, size) : fmt::format("{}{:X}", zeros, size);
    bytes += fmt::format("{}\r\n{}\r\n", extension, body.substr(0, size));
    body.remove_prefix(size);
  }
  return bytes + "0\r\n" + *rc::gen::element(""s, "Trailer: x\r\n"s, "A:\r\nB: c d\r\n"s) + "\r\n";
}

Made any_request() {
  const auto method = *rc::gen::element("GET"s, "POST"s, "PUT"s, "X-OWN"s);
  const auto path = "/" + *any_bytes();
  const auto query = *rc::gen::element(""s, "username=demo"s, "a=%41&b=🦋"s, "x/?y"s);
  const auto body = *rc::gen::element(true, false) ? *any_bytes() : ""s;
  Made made;
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i) made.bytes += "\r\n";
  made.bytes += fmt::format("{} {}{}{}{} HTTP/1.1\r\n", method, *rc::gen::element(""s, "http://a.b:1"s),
                            "/" + percent_encode(path.substr(1)), query.empty() ? "" : "?", query);
  std::vector<std::string> fields{fmt::format("Host:{}a{}", *blanks(), *blanks()), "X:", "Y: z z"};
  std::string payload = body;
  const bool close = *rc::gen::inRange(0, 8) == 0;
  if (close) fields.push_back("connection: x, close");
  if (!body.empty() && *rc::gen::arbitrary<bool>()) {
    fields.push_back(fmt::format("Content-Length:{}{}", *blanks(), body.size()));
  } else if (!body.empty() || *rc::gen::inRange(0, 4) == 0) {
    fields.push_back(fmt::format("Transfer-Encoding: chunked{}", *blanks()));
    payload = chunked(body);
  }
  std::ranges::rotate(fields, fields.begin() + *rc::gen::inRange<std::ptrdiff_t>(0, 3));
  for (const std::string& field : fields) made.bytes += field + "\r\n";
  made.bytes += "\r\n" + payload;
  made.outcome = fmt::format("{} {}{}{}{}{}{}{};", method, path, query.empty() ? "" : " ?", query,
                             body.empty() ? "" : " {", body, body.empty() ? "" : "}", close ? " close" : "");
  return made;
}

std::vector<std::string_view> cut_at_random(std::string_view bytes) {
  std::vector<std::string_view> pieces;
  while (!bytes.empty()) {
    const auto size = *rc::gen::inRange<std::size_t>(1, std::min<std::size_t>(bytes.size(), 40) + 1);
    pieces.push_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return pieces;
}

Made any_requests() {
  Made all;
  for (int i = *rc::gen::inRange(1, 5); i > 0; --i) {
    const Made one = any_request();
    all.bytes += one.bytes;
    all.outcome += one.outcome;
  }
  return all;
}

RC_GTEST_PROP(RequestBytes, RequestsInARowComeOutAsTheyWereMadeHoweverTheyAreCut, ()) {
  const Made made = any_requests();
  RC_ASSERT(test::outcome({made.bytes}) == made.outcome);
  RC_ASSERT(test::outcome(cut_at_random(made.bytes)) == made.outcome);
}

RC_GTEST_PROP(RequestBytes, AMistakeMeansTheSameHoweverTheBytesAreCut, ()) {
  std::string bytes = any_requests().bytes;
  for (int i = *rc::gen::inRange(1, 4); i > 0; --i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
    switch (*rc::gen::inRange(0, 3)) {
      case 0:
        bytes[at] = static_cast<char>(*rc::gen::inRange(0, 256));
        break;
      case 1:
        bytes.insert(at,
                     *rc::gen::element("\r"s, "\n"s, "\r\n"s, " "s, ":"s, "\0"s, "0"s, "a"s, "Content-Length: 1\r\n"s));
        break;
      default:
        bytes.erase(at, *rc::gen::inRange<std::size_t>(1, 4));
        break;
    }
    if (bytes.empty()) bytes = "\r";
  }
  const std::string whole = test::outcome({bytes});
  RC_ASSERT(test::outcome(cut_at_random(bytes)) == whole);
}

RC_GTEST_PROP(Queries, ParametersComeOutAsTheyWereEncoded, ()) {
  const auto values = *rc::gen::container<std::vector<std::string>>(any_bytes());
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    text += fmt::format("{}p{}={}", *rc::gen::element("&"s, "&&"s), i, percent_encode(values[i]));
  }
  const auto query = Query::parse(text);
  RC_ASSERT(query.has_value());
  for (std::size_t i = 0; i < values.size(); ++i) {
    RC_ASSERT(query->required(fmt::format("p{}", i), "").value() == values[i]);
  }
}

}  // namespace
}  // namespace rillgate::http
