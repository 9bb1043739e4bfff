#include "hub/event.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace rillgate::hub {
namespace {

const IdFormat kIds("epoch");

/// `HEX CRLF payload CRLF`, as RFC 9112, section 7.1 writes a chunk.
void expect_framed(const Event& event) {
  const std::string_view payload = event.frame().payload();
  EXPECT_EQ(event.frame().chunk(), fmt::format("{:x}\r\n{}\r\n", payload.size(), payload));
  EXPECT_EQ(event.wire_bytes(), event.frame().chunk().size());
  EXPECT_GT(event.memory_bytes(), event.wire_bytes());
}

TEST(Event, ADraftGetsItsIdInFrontWhenItIsNumbered) {
  const auto event = Event::draft({.type = "update", .data = "a\nb"});
  event->number(Seq{42}, kIds);
  EXPECT_EQ(event->seq(), Seq{42});
  EXPECT_EQ(event->frame().payload(), "id: epoch-42\nevent: update\ndata: a\ndata: b\n\n");
  EXPECT_EQ(event->events(), 1U);
  expect_framed(*event);
}

TEST(Event, TheLongestIdFitsInFront) {
  const std::string epoch(IdFormat::kEpochBytesMax, 'e');
  const auto event = Event::draft({.type = "", .data = ""});
  event->number(Seq{UINT64_MAX}, IdFormat(epoch));
  EXPECT_EQ(event->frame().payload(), fmt::format("id: {}-18446744073709551615\ndata:\n\n", epoch));
  expect_framed(*event);
}

TEST(Event, FixedBytesGoOutAsTheyAreAndHaveNoNumber) {
  const auto event = Event::fixed(": x\n\n");
  EXPECT_EQ(event->frame().payload(), ": x\n\n");
  EXPECT_EQ(event->seq(), Seq{0});
  EXPECT_EQ(event->events(), 0U);
  expect_framed(*event);
}

TEST(Event, EverySizeIsFramedRight) {
  // With the id, the payload passes a power of 16 within each of these.
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size < 600; ++size) sizes.push_back(size);
  for (const std::size_t border : {std::size_t{1} << 12, std::size_t{1} << 16, std::size_t{1} << 20}) {
    for (std::size_t size = border - 30; size < border - 20; ++size) sizes.push_back(size);
  }
  for (const std::size_t size : sizes) {
    const std::string data(size, 'x');
    const auto draft = Event::draft({.type = "", .data = data});
    draft->number(Seq{size}, kIds);
    EXPECT_EQ(draft->frame().payload(), fmt::format("id: epoch-{}\ndata:{}{}\n\n", size, size == 0 ? "" : " ", data));
    expect_framed(*draft);
    if (size > 0) expect_framed(*Event::fixed(data));
  }
}

TEST(Event, ManyThreadsMayHoldAndDropIt) {
  auto event = Event::draft({.type = "", .data = "shared"});
  event->number(Seq{1}, kIds);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([mine = event] {
      for (int step = 0; step < 5'000; ++step) {
        const auto copy = mine;  // NOLINT(performance-unnecessary-copy-initialization): counted up and down
        EXPECT_EQ(copy->frame().payload().size(), mine->frame().payload().size());
      }
    });
  }
  event = {};
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace rillgate::hub
