#include "hub/position.h"

#include <array>
#include <cassert>
#include <charconv>
#include <cstring>

#include "base/text.h"

namespace rillgate::hub {

IdFormat::IdFormat(std::string epoch) : prefix_(std::move(epoch)) {
  assert(!prefix_.empty() && prefix_.size() <= kEpochBytesMax);
  prefix_ += '-';
}

std::string IdFormat::format(Seq seq) const {
  return prefix_ + std::to_string(value(seq));
}

void IdFormat::append(std::string& out, Seq seq) const {
  std::array<char, kIdBytesMax> room;
  out.append(format_before(room.end(), seq), room.end());
}

char* IdFormat::format_before(char* end, Seq seq) const {
  std::uint64_t rest = value(seq);
  do {
    *--end = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  end -= prefix_.size();
  std::memcpy(end, prefix_.data(), prefix_.size());
  return end;
}

std::optional<Seq> IdFormat::parse(std::string_view id) const {
  if (!id.starts_with(prefix_)) return std::nullopt;
  const auto number = parse_decimal(id.substr(prefix_.size()));
  if (!number) return std::nullopt;
  return Seq{*number};
}

}  // namespace rillgate::hub
