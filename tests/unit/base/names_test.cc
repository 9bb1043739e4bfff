#include "base/names.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace rillgate {
namespace {

using namespace std::string_view_literals;

std::string said(const std::optional<Error>& error) {
  return error ? error->what : "";
}

TEST(UserNames, AnyUtf8WithoutControlCharactersAndColonIsOne) {
  for (const auto name :
       {"a"sv, "demo"sv, "*"sv, "**"sv, " "sv, "a b"sv, "🦋"sv, "käse@example.com"sv, "\"quoted\\\""sv, "%41"sv,
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff"sv, "\xc2\x80"sv, "\xef\xbb\xbf"sv}) {
    EXPECT_EQ(said(check_user(name)), "") << name;
  }
  EXPECT_EQ(said(check_user(std::string(256, 'x'))), "");
}

TEST(UserNames, TheErrorSaysWhatIsAccepted) {
  EXPECT_EQ(said(check_user("")), "the username is empty; it has 1 to 256 bytes");
  EXPECT_EQ(said(check_user(std::string(257, 'x'))), "the username has 257 bytes; it has 1 to 256");
  EXPECT_EQ(said(check_user("a:b")),
            "the username \"a:b\" holds a colon, which ends the name in a Kafka record; leave it out");
  EXPECT_EQ(said(check_user("a\nb")),
            "the username \"a\\nb\" holds a control character; leave out U+0000 to U+001F and U+007F");
  EXPECT_EQ(said(check_user("a\xff")), "the username \"a\xef\xbf\xbd\" is not UTF-8; percent-encode its UTF-8 bytes");
}

TEST(UserNames, EveryControlCharacterIsRefused) {
  for (int byte = 0; byte < 0x80; ++byte) {
    const bool refused = byte < 0x20 || byte == 0x7f || byte == ':';
    EXPECT_EQ(check_user(std::string(1, static_cast<char>(byte))).has_value(), refused) << byte;
  }
}

TEST(UserNames, OnlyWhatIsWellFormedUtf8IsOne) {
  for (const auto name : {"\x80"sv, "\xc0\x80"sv, "\xed\xa0\x80"sv, "\xf4\x90\x80\x80"sv, "a\xe2\x82"sv}) {
    EXPECT_TRUE(check_user(name)) << name.size();
  }
}

TEST(UserNames, ALongNameIsShownInPart) {
  const std::string error = said(check_user(std::string(200, 'x') + "\n"));
  EXPECT_LT(error.size(), 200U);
}

TEST(EventTypes, AnyUtf8WithoutControlCharactersIsOneUnlessItIsReserved) {
  for (const auto type : {"update"sv, "message"sv, "a:b"sv, "*"sv, " x"sv, "🦋"sv, "stream"sv, "streams-x"sv,
                          "Stream-open"sv, "x-stream-open"sv}) {
    EXPECT_EQ(said(check_event_type(type)), "") << type;
  }
  EXPECT_EQ(said(check_event_type(std::string(256, 'x'))), "");
}

TEST(EventTypes, TheErrorSaysWhatIsAccepted) {
  EXPECT_EQ(said(check_event_type("")), "the event type is empty; it has 1 to 256 bytes");
  EXPECT_EQ(said(check_event_type(std::string(257, 'x'))), "the event type has 257 bytes; it has 1 to 256");
  EXPECT_EQ(said(check_event_type("stream-open")),
            "the event type \"stream-open\" begins with 'stream-', which is reserved; choose another");
  for (const auto type : {"stream-"sv, "stream-anything"sv, "a\rb"sv, "a\nb"sv, "a\0b"sv, "\xff"sv}) {
    EXPECT_TRUE(check_event_type(type)) << type;
  }
}

}  // namespace
}  // namespace rillgate
