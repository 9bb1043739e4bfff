// Posted messages, as V2 and V3 take them: one in a request, or one a line.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "api/services.h"
#include "base/error.h"
#include "http/exchange.h"
#include "sse/encode.h"

namespace rillgate::api {

/// Checked: a good name (or `*`), a good type or none, and UTF-8.
struct Message {
  std::string_view user;
  sse::EventText text;
};

/// Calls `take(message)` with what POST …/message brings, or answers 400.
void take_message(http::Exchange& exchange, const std::function<void(const Message&)>& take);

/// Calls `take(line, message)` for each line of POST …/messages that is not blank. False: answered, by 415.
bool take_messages(http::Exchange& exchange,
                   const std::function<void(std::uint64_t line, const std::expected<Message, Error>&)>& take);

/// What became of the lines; in any order.
class BatchResult {
 public:
  void accept() { ++accepted_; }
  void reject(std::uint64_t line, std::string detail) { rejected_.emplace_back(line, std::move(detail)); }
  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  /// 202, `{"accepted":N,"rejected":[{"line":L,"detail":…}]}`.
  [[nodiscard]] http::Response response();

 private:
  std::uint64_t accepted_ = 0;
  std::vector<std::pair<std::uint64_t, std::string>> rejected_;
};

/// True: answered, since the node takes no posts any more.
[[nodiscard]] bool answered_while_draining(const Services& services, http::Exchange& exchange);

}  // namespace rillgate::api
