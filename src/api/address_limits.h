// How much one client address may use: open streams, and requests a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/message.h"
#include "ops/settings.h"

namespace rillgate::api {

/// Any thread. A limit of 0 is none, and costs nothing.
class AddressLimits {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit AddressLimits(const ops::Settings::Limits& limits);

  /// Whose request this is: the peer, or what a trusted proxy says in X-Forwarded-For. The rightmost address that is no
  /// trusted proxy counts, since only what a trusted one has added can be believed.
  [[nodiscard]] http::PeerAddress client_of(const http::Request& request) const;

  /// False: the address has used up its requests for now. Bursts of a second's worth are allowed.
  [[nodiscard]] bool admit_request(const http::PeerAddress& client, Time now);
  /// False: the address has as many streams as it may. True: close_stream() must follow.
  [[nodiscard]] bool open_stream(const http::PeerAddress& client);
  void close_stream(const http::PeerAddress& client);

 private:
  struct Hash {
    std::size_t operator()(const http::PeerAddress& address) const {
      return std::hash<std::string_view>{}({reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size()});
    }
  };
  struct Usage {
    std::uint64_t streams = 0;
    double requests_left = 0;
    Time counted_at{};
  };
  struct Network {
    http::PeerAddress address;
    unsigned prefix_bits;  // of 128
  };
  /// Addresses in the table after which those with nothing to remember are dropped.
  static constexpr std::size_t kSweepAt = 16 * 1024;

  [[nodiscard]] bool is_trusted(const http::PeerAddress& address) const;
  void sweep(Time now);

  const std::uint64_t streams_max_;
  const double requests_per_second_;
  std::vector<Network> trusted_;
  std::mutex mutex_;
  std::size_t sweep_at_ = kSweepAt;
  std::unordered_map<http::PeerAddress, Usage, Hash> usage_;
};

}  // namespace rillgate::api
