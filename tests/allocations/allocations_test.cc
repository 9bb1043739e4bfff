// How often the way of an event asks for memory, counted on the reactor's thread from the bytes of a POST to the bytes
// of its answer and of the streams. A loss of speed of this kind shows here, without a clock.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <latch>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "http/server.h"
#include "support/api_world.h"

namespace {

std::atomic<std::uint64_t> allocations{0};
thread_local bool counts = false;

void* counted(std::size_t size, std::size_t alignment) {
  if (counts) allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = alignment == 0 ? std::malloc(size)
                                      : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

// Not inlined: compilers would take the pair of new and free for a mistake.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return counted(size, 0);
}
[[gnu::noinline]] void* operator new[](std::size_t size) {
  return counted(size, 0);
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace rillgate {
namespace {

/// What is kept: more than this fails, and whoever needs less lowers it.
constexpr double kPerPublishedMax = 3;
constexpr double kPerDeliveredMax = 0;
/// Of eight that wait for one write: the queue grows twice.
constexpr double kPerJoinedMax = 0.25;
/// The clock's line in each answer, once a second.
constexpr double kSlack = 0.05;

constexpr int kWarmUp = 200;
constexpr int kPublished = 1'000;

/// A connection that reads and sends without asking for memory, for it shares the process.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) std::abort();
  }
  void send(std::string_view bytes) {
    if (::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
      std::abort();
  }
  /// Reads until `end` has come so often, and nothing else behind it.
  void read_until(std::string_view end, int times = 1) {
    std::size_t size = 0;
    std::size_t at = 0;
    while (times > 0) {
      const ssize_t got = ::recv(socket_.get(), buffer_.data() + size, buffer_.size() - size, 0);
      if (got <= 0) std::abort();
      size += static_cast<std::size_t>(got);
      const std::string_view text(buffer_.data(), size);
      for (std::size_t found = 0; (found = text.find(end, at)) != std::string_view::npos; --times) {
        at = found + end.size();
      }
    }
    if (at != size) std::abort();
  }

 private:
  io::Fd socket_;
  std::array<char, 8192> buffer_{};
};

class AllocationsTest : public ::testing::Test {
 protected:
  AllocationsTest() : world_(settings()) {
    port_ = server_.listen({.host = "127.0.0.1", .port = 0}).value();
    server_.start();
    thread_ = std::jthread([this] { world_.reactor.run(); });
  }
  ~AllocationsTest() override {
    server_.stop_accepting();
    for (const auto& owner : world_.services.owners) {
      on_reactor([&owner = *owner] {
        for (api::EventStream* const stream : owner.streams()) stream->cut();
      });
    }
    server_.close_connections();
    world_.reactor.stop();
  }

  /// Streams of as many users, or of one.
  std::vector<std::unique_ptr<Client>> open(int count, std::string_view user) {
    std::vector<std::unique_ptr<Client>> streams;
    for (int i = 0; i < count; ++i) {
      streams.push_back(std::make_unique<Client>(port_));
      const std::string name = user.empty() ? "user-" + std::to_string(i) : std::string(user);
      streams.back()->send("GET /v2/sse?username=" + name + " HTTP/1.1\r\nHost: a\r\n\r\n");
      streams.back()->read_until("data:\n\n\r\n");
    }
    return streams;
  }

  /// Allocations for each message that is posted to `user`. `at_once` are posted together, and reach all streams before
  /// the next ones are posted.
  double per_published(std::string_view user, const std::vector<std::unique_ptr<Client>>& streams, int at_once = 1) {
    const std::string request = "POST /v2/message?username=" + std::string(user) +
                                " HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x');
    std::string requests;
    for (int i = 0; i < at_once; ++i) requests += request;
    Client publisher(port_);
    const auto publish = [&](int count) {
      for (int i = 0; i < count; i += at_once) {
        publisher.send(requests);
        publisher.read_until("}\n", at_once);
        for (const auto& stream : streams) stream->read_until("\n\n\r\n", at_once);
      }
    };
    publish(kWarmUp);
    on_reactor([] {
      allocations = 0;
      counts = true;
    });
    publish(kPublished);
    std::uint64_t counted = 0;
    on_reactor([&] {
      counts = false;
      counted = allocations;
    });
    return static_cast<double>(counted) / kPublished;
  }

  static void expect_few(double without, double with, int streams, double per_delivered_max = kPerDeliveredMax) {
    const double per_delivered = (with - without) / streams;
    std::printf("%.3f for each published event, %.3f for each delivered one\n", without, per_delivered);
    EXPECT_LE(without, kPerPublishedMax + kSlack);
    EXPECT_LE(per_delivered, per_delivered_max + kSlack);
  }

 private:
  static ops::Settings settings() {
    ops::Settings settings;
    settings.history.size = 100;  // soon full, so that each event that is kept drops another
    return settings;
  }
  void on_reactor(const std::function<void()>& task) {
    std::latch done(1);
    world_.reactor.post([&] {
      task();
      done.count_down();
    });
    done.wait();
  }

  test::ApiWorld world_;
  http::Server server_{{&world_.reactor}, *world_.api, {}};
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

TEST_F(AllocationsTest, AMessageToOneUsersStreamsTakesFew) {
  const double without = per_published("a", {});
  expect_few(without, per_published("a", open(8, "a")), 8);
}

TEST_F(AllocationsTest, AMessageToMoreStreamsThanAPublisherWritesItselfTakesFew) {
  const double without = per_published("a", {});
  expect_few(without, per_published("a", open(64, "a")), 64);
}

TEST_F(AllocationsTest, AMessageToEverybodyTakesFew) {
  const double without = per_published("*", {});
  expect_few(without, per_published("*", open(64, "")), 64);
}

TEST_F(AllocationsTest, MessagesThatWaitForOneWriteTakeFew) {
  const double without = per_published("*", {}, 8);
  expect_few(without, per_published("*", open(64, ""), 8), 64, kPerJoinedMax);
}

}  // namespace
}  // namespace rillgate
