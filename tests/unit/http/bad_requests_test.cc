// What must be refused, since a proxy in front may read it in another way than we do (RFC 9112, section 11.2).

#include <gtest/gtest.h>

#include "unit/http/raw_requests.h"

namespace rillgate::http {
namespace {

using test::outcome_however_cut;
using namespace std::string_literals;
using namespace std::string_view_literals;

/// `status` however the bytes are cut, and whatever follows them.
void expect_refused(std::string_view bytes, std::string_view status = "400") {
  EXPECT_EQ(outcome_however_cut(bytes), status) << ::testing::PrintToString(std::string(bytes));
  EXPECT_EQ(test::outcome({std::string(bytes) + "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}), status);
}

TEST(BadRequests, RequestLines) {
  for (const auto line : {"GET  / HTTP/1.1"sv,
                          "GET /  HTTP/1.1"sv,
                          "GET / HTTP/1.1 "sv,
                          " GET / HTTP/1.1"sv,
                          "GET\t/ HTTP/1.1"sv,
                          "GET /a b HTTP/1.1"sv,
                          "GET / HTTP/2.0"sv,
                          "GET / HTTP/0.9"sv,
                          "GET / HTTP/11"sv,
                          "GET / http/1.1"sv,
                          "GET / HTTP/1.1x"sv,
                          "GET / FTP/1.1"sv,
                          "GET /"sv,
                          "GET"sv,
                          "/ HTTP/1.1"sv,
                          "G@T / HTTP/1.1"sv,
                          "G\xc3\x96T / HTTP/1.1"sv,
                          "GET /\x7f HTTP/1.1"sv,
                          "GET /a\0b HTTP/1.1"sv,
                          "GET /\x01 HTTP/1.1"sv,
                          "GET /a\tb HTTP/1.1"sv,
                          "GET \r/ HTTP/1.1"sv,
                          "GET /\n HTTP/1.1"sv}) {
    expect_refused(std::string(line) + "\r\nHost: a\r\n\r\n");
  }
}

TEST(BadRequests, Targets) {
  for (const auto target :
       {"a"sv, "*"sv, "a:80"sv, "ftp://a/"sv, "http:/a"sv, "http:///b"sv, "http://"sv, "http://a b/"sv,
        "http://user@a/"sv, "http://a:x/"sv, "/%"sv, "/%4"sv, "/%zz"sv, "/a%2"sv, "?a=b"sv, "//%"sv}) {
    expect_refused("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  expect_refused("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n");
  expect_refused("OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(BadRequests, Lines) {
  for (const auto head :
       {"GET / HTTP/1.1\nHost: a\r\n\r\n"sv, "GET / HTTP/1.1\r\nHost: a\n\r\n"sv, "GET / HTTP/1.1\r\nHost: a\r\n\n"sv,
        "GET / HTTP/1.1\nHost: a\n\n"sv, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"sv,
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, "\r\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"sv,
        "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"sv, "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"sv,
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n"sv, "GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n"sv,
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"sv, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n"sv,
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n"sv, "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n"sv}) {
    expect_refused(head);
  }
}

TEST(BadRequests, Fields) {
  for (const auto field :
       {"X : b"sv, "X\t: b"sv, ": b"sv, "X"sv, "X Y: b"sv, "X(: b"sv, "X\xc3\x9f: b"sv, "X: a\0b"sv, "X: a\x01"sv,
        "X: \x7f"sv, "X: a\x0b"sv, "Host: a"sv, "HOST: b"sv, "Host:"sv, "Content-Length : 5"sv}) {
    expect_refused("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n\r\n");
  }
}

TEST(BadRequests, AFieldIsRefusedAsSoonAsItCanBe) {
  EXPECT_EQ(test::outcome({"GE\0"sv}), "400");
  EXPECT_EQ(test::outcome({"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n "}), "400");
  EXPECT_EQ(test::outcome({"GET / HTTP/1.1\n"}), "400");
}

TEST(BadRequests, Hosts) {
  const auto with_host = [](std::string_view host) {
    return "GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
  };
  for (const auto host :
       {"a"sv, "localhost:3000"sv, "127.0.0.1"sv, "example.com."sv, "a-b_c~d"sv, "[::1]"sv, "[::1]:3000"sv,
        "[2001:DB8::10.0.0.1]:1"sv, "a:"sv, "a:0"sv, "a:65535"sv, "%41"sv, "a!$&'()*+,;="sv}) {
    EXPECT_EQ(outcome_however_cut(with_host(host)), "GET /;") << host;
  }
  for (const auto host : {""sv,
                          " "sv,
                          "a b"sv,
                          "a/b"sv,
                          "a?b"sv,
                          "a#b"sv,
                          "user@a"sv,
                          "a\\b"sv,
                          "<a>"sv,
                          "\"a\""sv,
                          "\xc3\xa4.example"sv,
                          ":80"sv,
                          "a:b"sv,
                          "a:80:80"sv,
                          "a:65536"sv,
                          "a:-1"sv,
                          "a:+1"sv,
                          "a: 80"sv,
                          "a:99999999999999999999"sv,
                          "["sv,
                          "[]"sv,
                          "[::1"sv,
                          "::1"sv,
                          "[::1]x"sv,
                          "[::1]80"sv,
                          "[::1]:x"sv,
                          "[g::1]"sv,
                          "[127.0.0.1]"sv,
                          "[:::::]"sv,
                          "[1:2]"sv,
                          "[::1]]"sv,
                          "[fe80::1%25eth0]"sv}) {
    expect_refused(with_host(host));
  }
  expect_refused("GET / HTTP/1.1\r\n\r\n");
  expect_refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
  expect_refused("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n");
  expect_refused("GET / HTTP/1.0\r\nHost: a b\r\n\r\n");
}

TEST(BadRequests, BodyLengths) {
  const auto with_fields = [](std::string_view fields) {
    return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n\r\nhello";
  };
  for (const auto length :
       {""sv, "+5"sv, "-5"sv, "0x5"sv, "5 5"sv, "5;"sv, "5.0"sv, "five"sv, "5,5"sv, "5, 5"sv, ",5"sv, "5,"sv, "5, 6"sv,
        "\"5\""sv, "99999999999999999999"sv, "18446744073709551616"sv, "\xd9\xa5"sv}) {
    expect_refused(with_fields("Content-Length: " + std::string(length)));
  }
  for (const auto fields :
       {"Content-Length: 5\r\nContent-Length: 5"sv, "Content-Length: 5\r\nContent-Length: 6"sv,
        "Content-Length: 5\r\nTransfer-Encoding: chunked"sv, "Transfer-Encoding: chunked\r\nContent-Length: 5"sv,
        "content-length: 0\r\ntransfer-encoding: chunked"sv,
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"sv,
        "Transfer-Encoding: identity\r\nContent-Length: 5"sv, "Transfer-Encoding:\r\nContent-Length: 5"sv}) {
    expect_refused(with_fields(fields));
  }
}

TEST(BadRequests, TransferCodings) {
  for (const auto coding :
       {""sv, "gzip"sv, "identity"sv, "gzip, chunked"sv, "chunked, gzip"sv, "chunked, chunked"sv, "chunked,"sv,
        ",chunked"sv, "xchunked"sv, "chunkedx"sv, "chunked;q=1"sv, "\"chunked\""sv, "chun ked"sv,
        "\x0b"
        "chunked"sv,
        "chunked\xc2\xa0"sv}) {
    expect_refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: " + std::string(coding) +
                   "\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  }
  expect_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

TEST(BadRequests, Chunks) {
  for (const auto chunks : {
           " 5\r\nhello\r\n0\r\n\r\n"sv,
           "+5\r\nhello\r\n0\r\n\r\n"sv,
           "-1\r\nhello\r\n0\r\n\r\n"sv,
           "0x5\r\nhello\r\n0\r\n\r\n"sv,
           "g\r\nhello\r\n0\r\n\r\n"sv,
           "5 hello\r\n0\r\n\r\n"sv,
           "5 \r\nhello\r\n0\r\n\r\n"sv,
           "\r\nhello\r\n0\r\n\r\n"sv,
           ";a\r\nhello\r\n0\r\n\r\n"sv,
           "5\nhello\r\n0\r\n\r\n"sv,
           "5\rhello\r\n0\r\n\r\n"sv,
           "5\r\nhello0\r\n\r\n"sv,
           "5\r\nhello\n0\r\n\r\n"sv,
           "5\r\nhello!\r\n0\r\n\r\n"sv,
           "4\r\nhello\r\n0\r\n\r\n"sv,
           "10000000000000005\r\nhello\r\n0\r\n\r\n"sv,
           "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"sv,
           "5;a\nb\r\nhello\r\n0\r\n\r\n"sv,
           // A proxy that ends the chunk's head at the LF reads another body.
           "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"sv,
           "5;a=\"\0\"\r\nhello\r\n0\r\n\r\n"sv,
           "5;a=\"\\\n\"\r\nhello\r\n0\r\n\r\n"sv,
           "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n"sv,
           "0;a=\"\n\"\r\n\r\n"sv,
           "5\r\nhello\r\n0\r\n T: 1\r\n\r\n"sv,
           "5\r\nhello\r\n0\r\nT 1\r\n\r\n"sv,
           "5\r\nhello\r\n0\r\nT: 1\r\n 2\r\n\r\n"sv,
           "5\r\nhello\r\n0\r\nT: 1\n\r\n\r\n"sv,
           "5\r\nhello\r\n0\r\nT: \0\r\n\r\n"sv,
           "5\r\nhello\r\n0\r\nT: a\rb\r\n\r\n"sv,
       }) {
    expect_refused("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks));
  }
}

}  // namespace
}  // namespace rillgate::http
