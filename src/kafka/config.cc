#include "kafka/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "kafka/impl/handle.h"

namespace rillgate::kafka {
namespace {

constexpr std::size_t kMessageBytes = 512;
/// syslog's number of a warning: what is as grave or graver.
constexpr int kWarning = 4;

/// Rillgate's guarantees rest on these.
constexpr std::array<std::string_view, 12> kOwn{"bootstrap.servers",
                                                "metadata.broker.list",
                                                "group.id",
                                                "enable.auto.commit",
                                                "auto.commit.enable",
                                                "enable.auto.offset.store",
                                                "auto.offset.reset",
                                                "enable.partition.eof",
                                                "enable.idempotence",
                                                "acks",
                                                "request.required.acks",
                                                "transactional.id"};

void on_log(const rd_kafka_t* client, int level, const char*, const char* text) {
  static_cast<const Context*>(rd_kafka_opaque(client))->config.log(level <= kWarning, text);
}

void set(rd_kafka_conf_t* conf, const char* name, const char* value) {
  std::array<char, kMessageBytes> message{};
  if (rd_kafka_conf_set(conf, name, value, message.data(), message.size()) != RD_KAFKA_CONF_OK) {
    throw std::runtime_error(fmt::format("Kafka: {}", message.data()));
  }
}

}  // namespace

std::optional<Error> check(const Property& property) {
  const auto& [name, value] = property;
  if (std::ranges::find(kOwn, name) != kOwn.end()) {
    return Error{fmt::format("Rillgate sets {} itself; leave it out", name)};
  }
  const Conf conf(rd_kafka_conf_new());
  std::array<char, kMessageBytes> message{};
  if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), message.data(), message.size()) == RD_KAFKA_CONF_OK) {
    return std::nullopt;
  }
  return Error{fmt::format("librdkafka says: {}", message.data())};
}

Conf make_conf(Context& context, Defaults defaults, Defaults fixed) {
  Conf conf(rd_kafka_conf_new());
  set(conf.get(), "client.id", "rillgate");
  // A broker that is back should be found soon, and by a crowd of nodes not all at once (librdkafka adds the jitter).
  set(conf.get(), "reconnect.backoff.max.ms", "1000");
  set(conf.get(), "log.connection.close", "false");
  set(conf.get(), "socket.keepalive.enable", "true");
  for (const auto& [name, value] : defaults) set(conf.get(), name, value);
  for (const auto& [name, value] : context.config.properties) set(conf.get(), name.c_str(), value.c_str());
  set(conf.get(), "bootstrap.servers", context.config.brokers.c_str());
  for (const auto& [name, value] : fixed) set(conf.get(), name, value);
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  rd_kafka_conf_set_opaque(conf.get(), &context);
  return conf;
}

Handle make_client(rd_kafka_type_t type, Conf conf) {
  std::array<char, kMessageBytes> message{};
  rd_kafka_t* const client = rd_kafka_new(type, conf.get(), message.data(), message.size());
  if (client == nullptr) throw std::runtime_error(fmt::format("Kafka: {}", message.data()));
  static_cast<void>(conf.release());
  return Handle(client);
}

Record record_of(const rd_kafka_message_t& message) {
  Record record(&message);
  record.place = {static_cast<std::uint32_t>(message.partition), static_cast<std::uint64_t>(message.offset)};
  if (message.key != nullptr) record.key = {static_cast<const char*>(message.key), message.key_len};
  if (message.payload != nullptr) record.value = {static_cast<const char*>(message.payload), message.len};
  rd_kafka_timestamp_type_t type{};
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, &type);
  if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) record.timestamp_ms = timestamp;
  return record;
}

std::optional<std::string_view> Record::header(const char* name) const {
  if (handle_ == nullptr) return std::nullopt;
  rd_kafka_headers_t* headers = nullptr;
  const auto* const message = static_cast<const rd_kafka_message_t*>(handle_);
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  const void* bytes = nullptr;
  std::size_t size = 0;
  if (rd_kafka_header_get_last(headers, name, &bytes, &size) != RD_KAFKA_RESP_ERR_NO_ERROR || bytes == nullptr) {
    return std::nullopt;
  }
  return std::string_view(static_cast<const char*>(bytes), size);
}

}  // namespace rillgate::kafka
