// Messages on their way into Kafka: what the feed of the same topic, on this node and every other, brings back as
// events.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "kafka/producer.h"
#include "sse/encode.h"

namespace rillgate::feed {

class Publisher {
 public:
  /// `producer` outlives it.
  Publisher(kafka::Producer& producer, std::string topic) : producer_(producer), topic_(std::move(topic)) {}

  /// Writes `USER:DATA`, keyed by the user, with the type in the header `event`. `done` as in Producer::send(). Any
  /// thread.
  void publish(std::string_view user, sse::EventText text, kafka::Produced done);

 private:
  kafka::Producer& producer_;
  const std::string topic_;
};

}  // namespace rillgate::feed
