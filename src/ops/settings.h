// What an operator can set. A Settings that came from parse_command_line() (command_line.h) is within its bounds and
// free of contradictions, so no room checks a setting again. The initialisers below are the defaults, and the only
// place that says them; name, bounds and help of each stand in impl/declarations.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kafka/config.h"
#include "ops/log.h"

namespace rillgate::ops {

/// Where to listen. `host` is an IP address without brackets in its shortest form, so nothing needs a resolver at
/// start.
struct Address {
  std::string host;
  std::uint16_t port = 0;  // 0 = the kernel chooses
  /// The `::1` of `localhost`: a machine without IPv6 is no mistake, a port in use still is.
  bool if_present = false;

  [[nodiscard]] std::string text() const;  // 127.0.0.1:3000, [::1]:3000
  [[nodiscard]] bool is_loopback() const;

  friend bool operator==(const Address&, const Address&) = default;
};

/// A block of addresses, such as 10.0.0.0/8; `address` is an IP address in its shortest form,
/// `prefix` is within its family's bounds.
struct Network {
  std::string address;
  unsigned prefix = 0;

  friend bool operator==(const Network&, const Network&) = default;
};

/// Sizes are in bytes. A member a_b of the table t is the setting `t.a-b`.
struct Settings {
  std::vector<Address> listen = {{"127.0.0.1", 3000}, {"::1", 3000, true}};
  std::uint64_t threads = 0;  // 0 = one per core
  std::string store = "sqlite:rillgate.db";
  bool insecure_no_auth = false;

  struct Admin {
    std::optional<Address> listen;  // nothing = with the rest
  } admin;
  struct V1 {
    std::chrono::milliseconds period{5'000};
    std::chrono::milliseconds keepalive{1'000};
  } v1;
  struct Keepalive {
    std::chrono::milliseconds interval{15'000};
    std::string text = "keep-alive-text";
  } keepalive;
  struct Stream {
    std::chrono::milliseconds retry{2'000};
    std::uint64_t buffer = 256 << 10;
  } stream;
  struct History {
    std::uint64_t size = 10'000;
    std::uint64_t bytes = 1 << 20;
    std::chrono::milliseconds ttl{300'000};
    std::uint64_t memory = 256 << 20;
  } history;
  struct Kafka {
    struct Feed {
      std::string topic;
      std::string name_space;
      std::string user;
      std::string data = "value";
      std::string event;  // empty: the record's header says it
    };
    std::string brokers;  // empty = V3 stays inside the process
    std::string v3_topic = "v3_messages";
    std::string v4_updates_topic = "v4_report_status_updates";
    std::string v4_events_topic = "v4_report_events";
    std::string dead_letter_suffix = ".dead";
    std::string group = "rillgate";
    bool create_topics = true;
    std::vector<kafka::Property> properties;  // these two from the file alone
    std::vector<Feed> feeds;
  } kafka;
  struct Reports {
    std::chrono::milliseconds keep{0};  // 0 = for good
    std::chrono::milliseconds recheck{30'000};
  } reports;
  struct Dynamodb {
    std::string endpoint;  // http(s)://HOST[:PORT]; empty = AWS's for the region
    std::string region = "us-east-1";
    std::string table_prefix;
  } dynamodb;
  struct Drain {
    std::chrono::milliseconds delay{0};
    std::chrono::milliseconds period{5'000};
  } drain;
  struct Cors {
    std::vector<std::string> origins;
  } cors;
  struct Limits {
    std::uint64_t body = 64 << 10;
    std::uint64_t streams = 100'000;
    std::uint64_t streams_per_user = 1'000;  // 0 = no limit
    std::uint64_t streams_per_address = 0;   // 0 = no limit
    std::uint64_t requests_per_address = 0;  // a second; 0 = no limit
    std::uint64_t queued_bytes = 1 << 30;
    std::vector<Network> trusted_proxies;
  } limits;
  struct Timeouts {
    std::chrono::milliseconds head{10'000};
    std::chrono::milliseconds body{30'000};
    std::chrono::milliseconds idle{75'000};
  } timeouts;
  struct Web {
    std::string root;  // empty = the front end beside the program
  } web;
  struct Log {
    LogLevel level = LogLevel::kInfo;
    LogFormat format = LogFormat::kText;
  } log;
};

}  // namespace rillgate::ops
