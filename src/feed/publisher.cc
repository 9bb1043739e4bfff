#include "feed/publisher.h"

namespace rillgate::feed {

void Publisher::publish(std::string_view user, sse::EventText text, kafka::Produced done) {
  std::string value;
  value.reserve(user.size() + 1 + text.data.size());
  value.append(user).append(":").append(text.data);
  kafka::Message message{.topic = topic_, .key = std::string(user), .value = std::move(value)};
  if (!text.type.empty()) message.headers.emplace_back("event", text.type);
  producer_.send(std::move(message), std::move(done));
}

}  // namespace rillgate::feed
