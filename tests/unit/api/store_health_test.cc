// What the answers of the report store tell of its health.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "support/conversation.h"

namespace rillgate::api {
namespace {

using ::testing::HasSubstr;

TEST(StoreHealth, AStoreThatIsBusyRefusesButIsNotDown) {
  reports::StoreOptions options;
  options.waiting_max = 0;  // whatever comes is too much
  test::ApiWorld world({}, reports::make_memory_store(std::move(options)));
  const http::ServerOptions server_options;
  const std::atomic<bool> closing{false};
  std::atomic<std::uint64_t> open{0};
  http::ConnectionContext context(world.reactor, *world.api, server_options, closing, open);

  test::Conversation client(world, context, [&] { world.reactor.stop(); });
  client.send(
      "POST /v4/new/report?user_id=0190a6b2-7e1c-7c3a-9d2b-5f8e4a1c6d70 HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
  client.finish();
  world.reactor.run();
  EXPECT_THAT(client.received(), HasSubstr("HTTP/1.1 503 "));
  EXPECT_THAT(client.received(), HasSubstr("requests are waiting"));
  EXPECT_THAT(client.received(), HasSubstr("HTTP/1.1 200 "));
  EXPECT_FALSE(world.services.store_is_down);
}

}  // namespace
}  // namespace rillgate::api
