// librdkafka's objects with an owner, and its configuration from ours.
#pragma once

#include <librdkafka/rdkafka.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "kafka/config.h"
#include "kafka/record.h"

namespace rillgate::kafka {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, Freed<rd_kafka_conf_destroy>>;
using Handle = std::unique_ptr<rd_kafka_t, Freed<rd_kafka_destroy>>;
using Topic = std::unique_ptr<rd_kafka_topic_t, Freed<rd_kafka_topic_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Freed<rd_kafka_queue_destroy>>;
using Partitions = std::unique_ptr<rd_kafka_topic_partition_list_t, Freed<rd_kafka_topic_partition_list_destroy>>;
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, Freed<rd_kafka_metadata_destroy>>;
using MessageHandle = std::unique_ptr<rd_kafka_message_t, Freed<rd_kafka_message_destroy>>;

/// What a client's callbacks find in rd_kafka_opaque().
struct Context {
  const Config& config;
  void* owner = nullptr;
};

using Defaults = std::initializer_list<std::pair<const char*, const char*>>;

/// `defaults` give way to the operator's properties, `fixed` do not. What librdkafka has to say goes to the config's
/// log; `context` outlives the client. Throws std::runtime_error when a property is not taken, which check() finds
/// before.
[[nodiscard]] Conf make_conf(Context& context, Defaults defaults, Defaults fixed);

/// A client, which takes over `conf`.
[[nodiscard]] Handle make_client(rd_kafka_type_t type, Conf conf);

/// The record in a message without an error; it lives as long as the message.
[[nodiscard]] Record record_of(const rd_kafka_message_t& message);

[[nodiscard]] inline Partitions partitions_of(const char* topic, std::int32_t partition, std::int64_t offset) {
  Partitions list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic, partition)->offset = offset;
  return list;
}

}  // namespace rillgate::kafka
