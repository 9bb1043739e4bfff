#include "hub/log_position.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace rillgate::hub {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kNameLetters = 6;
constexpr std::uint8_t kNoLetter = 0xff;
constexpr std::string_view kOfUnknownLog = "-";

constexpr std::array<std::uint8_t, 256> kLetterValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoLetter);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

/// FNV-1a: the same on every node and in every version, which std::hash is not.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value ^ (value >> 36);  // the upper bits are the better mixed ones
}

/// Appends base64url, six bits at a time.
class Base64Writer {
 public:
  explicit Base64Writer(std::string& out) : out_(out) {}
  void put(std::uint8_t byte) {
    bits_ = bits_ << 8 | byte;
    for (count_ += 8; count_ >= 6; count_ -= 6) out_ += kAlphabet[bits_ >> (count_ - 6) & 63];
  }
  void finish() {
    if (count_ > 0) out_ += kAlphabet[bits_ << (6 - count_) & 63];
  }

 private:
  std::string& out_;
  std::uint32_t bits_ = 0;
  int count_ = 0;
};

/// Nothing when `text` is no sequence of whole varints.
std::optional<LogPosition> decode(std::string_view text) {
  std::vector<std::uint64_t> next;
  std::uint32_t bits = 0;
  int count = 0;
  std::uint64_t number = 0;
  unsigned shift = 0;
  for (const char c : text) {
    const std::uint8_t letter = kLetterValues[static_cast<unsigned char>(c)];
    if (letter == kNoLetter) return std::nullopt;
    bits = bits << 6 | letter;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    const std::uint8_t byte = bits >> count & 0xff;
    if (shift > 56) return std::nullopt;  // offsets have 63 bits
    number |= std::uint64_t{byte & 0x7fU} << shift;
    shift += 7;
    if ((byte & 0x80) != 0) continue;
    next.push_back(std::exchange(number, 0));
    shift = 0;
  }
  const bool is_whole = shift == 0 && count < 6 && (bits & ((1U << count) - 1)) == 0;
  if (!is_whole) return std::nullopt;
  return LogPosition(std::move(next));
}

}  // namespace

bool LogPosition::includes(const LogPosition& other) const {
  for (std::uint32_t i = 0; i < other.next_.size(); ++i) {
    if (next(i) < other.next_[i]) return false;
  }
  return true;
}

void LogPosition::set(std::uint32_t partition, std::uint64_t next) {
  if (partition >= next_.size()) next_.resize(partition + 1);
  next_[partition] = next;
}

void LogPosition::raise(std::uint32_t partition, std::uint64_t next) {
  if (next > this->next(partition)) set(partition, next);
}

void LogPosition::merge(const LogPosition& other) {
  for (std::uint32_t i = 0; i < other.next_.size(); ++i) raise(i, other.next_[i]);
}

LogIds::LogIds(std::string_view log_name) {
  prefix_.clear();
  std::uint64_t rest = hash(log_name);
  for (std::size_t i = 0; i < kNameLetters; ++i, rest >>= 6) prefix_ += kAlphabet[rest & 63];
  prefix_ += '-';
}

std::string LogIds::format(const LogPosition& position) const {
  return encode(position.partitions(), [&](std::uint32_t i) { return position.next(i); });
}

std::string LogIds::format_after(const LogPosition& position, LogRecord record) const {
  return encode(std::max(position.partitions(), record.partition + 1), [&](std::uint32_t i) {
    return i == record.partition ? std::max(position.next(i), record.offset + 1) : position.next(i);
  });
}

template <class NextOf>
std::string LogIds::encode(std::uint32_t partitions, NextOf next_of) const {
  std::string id;
  id.reserve(prefix_.size() + partitions * 7);
  id = prefix_;
  Base64Writer out(id);
  while (partitions > 0 && next_of(partitions - 1) == 0) --partitions;
  for (std::uint32_t i = 0; i < partitions; ++i) {
    std::uint64_t rest = next_of(i);
    for (; rest > 0x7f; rest >>= 7) out.put(static_cast<std::uint8_t>(rest | 0x80));
    out.put(static_cast<std::uint8_t>(rest));
  }
  out.finish();
  return id;
}

std::optional<LogPosition> LogIds::parse(std::string_view id) const {
  if (id == kOfUnknownLog) return LogPosition{};
  if (!id.starts_with(prefix_) || id.size() > kIdBytesMax) return std::nullopt;
  return decode(id.substr(prefix_.size()));
}

LogPosition LogIds::parse_own(std::string_view id) const {
  auto position = decode(id.substr(prefix_.size()));
  assert(position);
  return *std::move(position);
}

}  // namespace rillgate::hub
