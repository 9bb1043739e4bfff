#include "sse/encode.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace rillgate::sse {
namespace {

using namespace std::string_view_literals;

std::string body_of(EventText event) {
  std::string out(body_size(event), '?');
  EXPECT_EQ(write_body(out.data(), event), out.data() + out.size());
  return out;
}

TEST(Body, AMessageIsOneDataLineAndTheBlankLine) {
  EXPECT_EQ(body_of({.type = "", .data = "howdy"}), "data: howdy\n\n");
  EXPECT_EQ(body_of({.type = "", .data = "🦋"}), "data: 🦋\n\n");
}

TEST(Body, ATypeComesFirst) {
  EXPECT_EQ(body_of({.type = "update", .data = "x"}), "event: update\ndata: x\n\n");
}

TEST(Body, EmptyDataIsStillADataLine) {
  EXPECT_EQ(body_of({.type = "", .data = ""}), "data:\n\n");
  EXPECT_EQ(body_of({.type = "t", .data = ""}), "event: t\ndata:\n\n");
}

TEST(Body, EveryKindOfLineBreakPartsTwoLines) {
  for (const auto data : {"a\nb"sv, "a\rb"sv, "a\r\nb"sv}) {
    EXPECT_EQ(body_of({.type = "", .data = data}), "data: a\ndata: b\n\n");
  }
  EXPECT_EQ(body_of({.type = "", .data = "a\n\rb"}), "data: a\ndata:\ndata: b\n\n");
  EXPECT_EQ(body_of({.type = "", .data = "a\r\r\nb"}), "data: a\ndata:\ndata: b\n\n");
  EXPECT_EQ(body_of({.type = "", .data = "\n"}), "data:\ndata:\n\n");
  EXPECT_EQ(body_of({.type = "", .data = "a\r\n"}), "data: a\ndata:\n\n");
  EXPECT_EQ(body_of({.type = "", .data = "a\r"}), "data: a\ndata:\n\n");
}

TEST(Body, LeadingBlanksColonsAndFieldNamesStayData) {
  EXPECT_EQ(body_of({.type = "", .data = "  a"}), "data:   a\n\n");
  EXPECT_EQ(body_of({.type = "", .data = ":a"}), "data: :a\n\n");
  EXPECT_EQ(body_of({.type = "", .data = "x\nid: 7\nretry: 1"}), "data: x\ndata: id: 7\ndata: retry: 1\n\n");
}

TEST(Comment, IsOneLineAndABlankOne) {
  EXPECT_EQ(comment("keep-alive-text"), ": keep-alive-text\n\n");
  EXPECT_EQ(comment(""), ": \n\n");
}

TEST(ControlBlock, HasItsTypeAndWhatIsGivenAndAlwaysData) {
  using std::chrono::milliseconds;
  EXPECT_EQ(control_block({.type = "stream-open", .id = "e-1", .retry = milliseconds(1'234)}),
            "event: stream-open\nid: e-1\nretry: 1234\ndata:\n\n");
  EXPECT_EQ(control_block({.type = "stream-position", .id = "e-2"}), "event: stream-position\nid: e-2\ndata:\n\n");
  EXPECT_EQ(control_block({.type = "stream-close", .retry = milliseconds(1)}),
            "event: stream-close\nretry: 1\ndata:\n\n");
  EXPECT_EQ(control_block({.type = "stream-gap", .id = "e-3", .data = "{}"}),
            "event: stream-gap\nid: e-3\ndata: {}\n\n");
}

TEST(Body, ManyLineBreaksOfOneKindAreReadInOnePass) {
  // Were the rest searched for the other kind at every line, this would take many minutes.
  constexpr std::size_t kLines = 8 << 20;
  for (const std::string& lines : {std::string(kLines, '\r'), std::string(kLines, '\n')}) {
    EXPECT_EQ(body_size({.type = "", .data = lines}), (kLines + 1) * std::string_view("data:\n").size() + 1);
  }
}

}  // namespace
}  // namespace rillgate::sse
