#include "api/address_limits.h"

#include <algorithm>

#include "base/text.h"

namespace rillgate::api {
namespace {

constexpr unsigned kMappedPrefixBits = 96;  // an IPv4 prefix of n bits is one of 96 + n in the mapped form

bool in_network(const http::PeerAddress& address, const http::PeerAddress& network, unsigned prefix_bits) {
  for (unsigned bit = 0; bit < prefix_bits; bit += 8) {
    const unsigned left = std::min(prefix_bits - bit, 8U);
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - left));
    if ((address.bytes[bit / 8] & mask) != (network.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

}  // namespace

AddressLimits::AddressLimits(const ops::Settings::Limits& limits)
    : streams_max_(limits.streams_per_address), requests_per_second_(static_cast<double>(limits.requests_per_address)) {
  for (const ops::Network& network : limits.trusted_proxies) {
    if (const auto address = http::PeerAddress::parse(network.address)) {
      const bool is_v4 = !network.address.contains(':');
      trusted_.push_back({*address, network.prefix + (is_v4 ? kMappedPrefixBits : 0)});
    }
  }
}

bool AddressLimits::is_trusted(const http::PeerAddress& address) const {
  return std::ranges::any_of(trusted_, [&](const Network& n) { return in_network(address, n.address, n.prefix_bits); });
}

http::PeerAddress AddressLimits::client_of(const http::Request& request) const {
  http::PeerAddress client = request.peer;
  if (trusted_.empty()) return client;
  // Several fields of that name are one list; the last field is the nearest proxy's.
  for (auto field = request.fields.rbegin(); field != request.fields.rend(); ++field) {
    if (!equals_ignoring_case(field->name, "X-Forwarded-For")) continue;
    std::string_view list = field->value;
    while (!list.empty()) {
      if (!is_trusted(client)) return client;
      const std::size_t comma = list.rfind(',');
      const auto hop = http::PeerAddress::parse(trimmed(list.substr(comma == std::string_view::npos ? 0 : comma + 1)));
      if (!hop) return client;
      client = *hop;
      list = comma == std::string_view::npos ? std::string_view{} : list.substr(0, comma);
    }
  }
  return client;
}

bool AddressLimits::admit_request(const http::PeerAddress& client, Time now) {
  if (requests_per_second_ == 0) return true;
  const std::lock_guard lock(mutex_);
  if (usage_.size() >= sweep_at_) sweep(now);
  const auto [entry, is_new] = usage_.try_emplace(client);
  Usage& usage = entry->second;
  const std::chrono::duration<double> passed = now - usage.counted_at;
  usage.requests_left =
      is_new ? requests_per_second_
             : std::min(requests_per_second_, usage.requests_left + passed.count() * requests_per_second_);
  usage.counted_at = now;
  if (usage.requests_left < 1) return false;
  usage.requests_left -= 1;
  return true;
}

bool AddressLimits::open_stream(const http::PeerAddress& client) {
  if (streams_max_ == 0) return true;
  const std::lock_guard lock(mutex_);
  Usage& usage = usage_[client];
  if (usage.streams >= streams_max_) return false;
  ++usage.streams;
  return true;
}

void AddressLimits::close_stream(const http::PeerAddress& client) {
  if (streams_max_ == 0) return;
  const std::lock_guard lock(mutex_);
  const auto entry = usage_.find(client);
  if (--entry->second.streams == 0 && requests_per_second_ == 0) usage_.erase(entry);
}

void AddressLimits::sweep(Time now) {
  // After a second without requests there is nothing left to remember of them.
  std::erase_if(usage_, [&](const auto& entry) {
    return entry.second.streams == 0 && now - entry.second.counted_at > std::chrono::seconds(1);
  });
  sweep_at_ = std::max(kSweepAt, usage_.size() * 2);
}

}  // namespace rillgate::api
