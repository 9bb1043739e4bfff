#include "api/address_limits.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace rillgate::api {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

http::PeerAddress address(std::string_view text) {
  const auto parsed = http::PeerAddress::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(http::PeerAddress{});
}

// ---- Whose request it is

struct Hop {
  std::string_view peer;
  std::vector<std::string_view> forwarded;  // the fields X-Forwarded-For, as they were sent
  std::string_view client;
};

void expect_clients(const std::vector<ops::Network>& trusted, const std::vector<Hop>& hops) {
  ops::Settings::Limits limits;
  limits.trusted_proxies = trusted;
  const AddressLimits addresses(limits);
  for (const Hop& hop : hops) {
    http::Request request;
    request.peer = address(hop.peer);
    for (const auto value : hop.forwarded) request.fields.push_back({"x-forwarded-FOR", value});
    EXPECT_EQ(addresses.client_of(request).text(), hop.client)
        << hop.peer << ": " << ::testing::PrintToString(hop.forwarded);
  }
}

TEST(ClientOf, WithoutTrustedProxiesThePeerIsTheClientWhateverItSays) {
  expect_clients({}, {{"192.0.2.1", {}, "192.0.2.1"},
                      {"192.0.2.1", {"198.51.100.7"}, "192.0.2.1"},
                      {"127.0.0.1", {"198.51.100.7"}, "127.0.0.1"}});
}

TEST(ClientOf, TheRightmostAddressThatIsNoTrustedProxyCounts) {
  expect_clients({{"10.0.0.0", 8}}, {
                                        {"10.0.0.1", {}, "10.0.0.1"},
                                        {"10.0.0.1", {"198.51.100.7"}, "198.51.100.7"},
                                        {"::ffff:10.0.0.1", {"198.51.100.7"}, "198.51.100.7"},
                                        {"192.0.2.1", {"198.51.100.7"}, "192.0.2.1"},
                                        {"10.0.0.1", {"1.1.1.1, 198.51.100.7"}, "198.51.100.7"},
                                        {"10.0.0.1", {"1.1.1.1,198.51.100.7\t,  10.9.9.9"}, "198.51.100.7"},
                                        {"10.0.0.1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
                                        {"10.0.0.1", {"2001:DB8::7, 10.0.0.2"}, "2001:db8::7"},
                                        {"10.0.0.1", {"::ffff:198.51.100.7"}, "198.51.100.7"},
                                    });
}

TEST(ClientOf, SeveralFieldsAreOneList) {
  expect_clients({{"10.0.0.0", 8}}, {{"10.0.0.1", {"1.1.1.1", "198.51.100.7"}, "198.51.100.7"},
                                     {"10.0.0.1", {"1.1.1.1, 198.51.100.7", "10.0.0.2, 10.0.0.3"}, "198.51.100.7"},
                                     {"10.0.0.1", {"198.51.100.7", ""}, "198.51.100.7"}});
}

TEST(ClientOf, WhatCannotBeReadEndsTheSearch) {
  expect_clients({{"10.0.0.0", 8}}, {{"10.0.0.1", {"unknown"}, "10.0.0.1"},
                                     {"10.0.0.1", {"198.51.100.7, unknown"}, "10.0.0.1"},
                                     {"10.0.0.1", {"198.51.100.7, _x, 10.0.0.2"}, "10.0.0.2"},
                                     {"10.0.0.1", {"198.51.100.7:443"}, "10.0.0.1"},
                                     {"10.0.0.1", {"[2001:db8::7]"}, "10.0.0.1"},
                                     {"10.0.0.1", {","}, "10.0.0.1"}});
}

TEST(ClientOf, NetworksEndWithinAByteToo) {
  expect_clients({{"10.128.0.0", 9}}, {{"10.128.0.1", {"1.1.1.1"}, "1.1.1.1"},
                                       {"10.255.0.1", {"1.1.1.1"}, "1.1.1.1"},
                                       {"10.127.0.1", {"1.1.1.1"}, "10.127.0.1"}});
  expect_clients({{"10.0.0.1", 32}}, {{"10.0.0.1", {"1.1.1.1"}, "1.1.1.1"}, {"10.0.0.2", {"1.1.1.1"}, "10.0.0.2"}});
  expect_clients({{"2001:db8:8000::", 33}}, {{"2001:db8:8000::1", {"1.1.1.1"}, "1.1.1.1"},
                                             {"2001:db8:7fff::1", {"1.1.1.1"}, "2001:db8:7fff::1"},
                                             {"10.0.0.1", {"1.1.1.1"}, "10.0.0.1"}});
  expect_clients({{"0.0.0.0", 0}}, {{"10.0.0.1", {"1.1.1.1"}, "1.1.1.1"}, {"2001:db8::1", {"1.1.1.1"}, "2001:db8::1"}});
  expect_clients({{"::", 0}}, {{"10.0.0.1", {"2001:db8::1, 1.1.1.1"}, "2001:db8::1"}});
  expect_clients({{"127.0.0.1", 32}, {"::1", 128}},
                 {{"::1", {"1.1.1.1"}, "1.1.1.1"}, {"127.0.0.1", {"1.1.1.1"}, "1.1.1.1"}});
}

// ---- How much it may use

ops::Settings::Limits limits(std::uint64_t streams, std::uint64_t requests) {
  ops::Settings::Limits result;
  result.streams_per_address = streams;
  result.requests_per_address = requests;
  return result;
}

const AddressLimits::Time kStart{hours(1)};

TEST(RequestRate, ASecondsWorthAtOnceAndThenAsTimePasses) {
  AddressLimits addresses(limits(0, 4));
  const auto client = address("192.0.2.1");
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(addresses.admit_request(client, kStart)) << i;
  EXPECT_FALSE(addresses.admit_request(client, kStart));
  EXPECT_FALSE(addresses.admit_request(client, kStart + milliseconds(249)));
  EXPECT_TRUE(addresses.admit_request(client, kStart + milliseconds(251)));
  EXPECT_FALSE(addresses.admit_request(client, kStart + milliseconds(251)));
}

TEST(RequestRate, ALongPauseIsWorthOneSecond) {
  AddressLimits addresses(limits(0, 4));
  const auto client = address("192.0.2.1");
  EXPECT_TRUE(addresses.admit_request(client, kStart));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(addresses.admit_request(client, kStart + hours(1)));
  EXPECT_FALSE(addresses.admit_request(client, kStart + hours(1)));
}

TEST(RequestRate, OverTimeExactlyTheRateIsAdmitted) {
  AddressLimits addresses(limits(0, 10));
  const auto client = address("192.0.2.1");
  int admitted = 0;
  for (int i = 0; i < 10'000; ++i) admitted += addresses.admit_request(client, kStart + milliseconds(i)) ? 1 : 0;
  EXPECT_GE(admitted, 10 * 10);       // ten seconds
  EXPECT_LE(admitted, 10 * 10 + 10);  // and the burst at the beginning
}

TEST(RequestRate, AddressesDoNotShare) {
  AddressLimits addresses(limits(0, 1));
  EXPECT_TRUE(addresses.admit_request(address("192.0.2.1"), kStart));
  EXPECT_FALSE(addresses.admit_request(address("192.0.2.1"), kStart));
  EXPECT_TRUE(addresses.admit_request(address("192.0.2.2"), kStart));
  EXPECT_FALSE(addresses.admit_request(address("::ffff:192.0.2.2"), kStart));
}

TEST(RequestRate, ALimitOfNoneIsNone) {
  AddressLimits addresses(limits(0, 0));
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(addresses.admit_request(address("192.0.2.1"), kStart));
}

TEST(StreamsPerAddress, AreCountedUntilTheyEnd) {
  AddressLimits addresses(limits(2, 0));
  const auto client = address("192.0.2.1");
  EXPECT_TRUE(addresses.open_stream(client));
  EXPECT_TRUE(addresses.open_stream(client));
  EXPECT_FALSE(addresses.open_stream(client));
  EXPECT_TRUE(addresses.open_stream(address("192.0.2.2")));
  addresses.close_stream(client);
  EXPECT_TRUE(addresses.open_stream(client));
  EXPECT_FALSE(addresses.open_stream(client));
  addresses.close_stream(client);
  addresses.close_stream(client);
  addresses.close_stream(address("192.0.2.2"));
  EXPECT_TRUE(addresses.open_stream(client)) << "an address that was forgotten may come back";
}

TEST(StreamsPerAddress, ALimitOfNoneIsNone) {
  AddressLimits addresses(limits(0, 0));
  const auto client = address("192.0.2.1");
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(addresses.open_stream(client));
  for (int i = 0; i < 1'000; ++i) addresses.close_stream(client);
}

TEST(StreamsPerAddress, AndRequestsAreCountedEachForItself) {
  AddressLimits addresses(limits(1, 2));
  const auto client = address("192.0.2.1");
  EXPECT_TRUE(addresses.open_stream(client));
  EXPECT_TRUE(addresses.admit_request(client, kStart)) << "its first request counts from full";
  EXPECT_TRUE(addresses.admit_request(client, kStart));
  EXPECT_FALSE(addresses.admit_request(client, kStart));
  EXPECT_FALSE(addresses.open_stream(client));
  addresses.close_stream(client);
  EXPECT_FALSE(addresses.admit_request(client, kStart)) << "ending a stream brings no requests";
  EXPECT_TRUE(addresses.open_stream(client));
}

// A crowd of addresses must not push out those with something to remember.
TEST(StreamsPerAddress, AnAddressWithStreamsIsRememberedInACrowd) {
  AddressLimits addresses(limits(1, 1));
  const auto client = address("192.0.2.1");
  EXPECT_TRUE(addresses.open_stream(client));
  const auto busy = address("192.0.2.2");
  for (int i = 0; i < 60'000; ++i) {
    const auto now = kStart + milliseconds(i);
    EXPECT_TRUE(addresses.admit_request(address(fmt::format("10.{}.{}.1", i / 256, i % 256)), now));
    if (i % 500 == 0) {
      EXPECT_EQ(addresses.admit_request(busy, now), i % 1'000 == 0);
    }
  }
  EXPECT_FALSE(addresses.open_stream(client));
}

}  // namespace
}  // namespace rillgate::api
