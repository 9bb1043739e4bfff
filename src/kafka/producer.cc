#include "kafka/producer.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "kafka/impl/handle.h"

namespace rillgate::kafka {
namespace {

using std::chrono::milliseconds;

constexpr int kPollMs = 100;
constexpr int kRecordsMax = 100'000;
constexpr std::uint64_t kKiB = 1024;

/// What librdkafka carries along with a record.
struct Pending {
  Produced done;
};

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  const std::unique_ptr<Pending> pending(static_cast<Pending*>(message->_private));
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    pending->done(std::unexpected(ProduceError{rd_kafka_err2str(message->err)}));
    return;
  }
  pending->done(Place{static_cast<std::uint32_t>(message->partition), static_cast<std::uint64_t>(message->offset)});
}

using Headers = std::unique_ptr<rd_kafka_headers_t, Freed<rd_kafka_headers_destroy>>;

Headers headers_of(const Message& message) {
  if (message.headers.empty()) return nullptr;
  Headers headers(rd_kafka_headers_new(message.headers.size()));
  for (const auto& [name, value] : message.headers) {
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  return headers;
}

using Bytes = decltype(rd_kafka_vu_t::u.mem);

Bytes bytes_of(const std::optional<std::string>& text) {
  if (!text) return {.ptr = nullptr, .size = 0};
  return {.ptr = const_cast<char*>(text->data()), .size = text->size()};
}

}  // namespace

class Producer::Inside {
 public:
  Inside(const Config& config, const Options& options)
      : context_{config, this}, options_(options), client_(make()), thread_([this] { poll(); }) {}

  void send(Message message, Produced done) {
    auto pending = std::make_unique<Pending>(std::move(done));
    if (const char* const refused = hand_over(message, pending)) {
      pending->done(std::unexpected(ProduceError{refused}));
    }
  }

  void close(milliseconds patience) {
    {
      const std::unique_lock lock(mutex_);
      if (std::exchange(is_closed_, true)) return;
    }
    stopping_ = true;
    thread_.join();
    end(*client_, patience);
  }

 private:
  /// Null: librdkafka has it, and owns what was pending. Else why not.
  const char* hand_over(const Message& message, std::unique_ptr<Pending>& pending) {
    const std::shared_lock lock(mutex_);
    if (is_closed_) return "the producer is closed";
    Headers headers = headers_of(message);
    std::array<rd_kafka_vu_t, 6> parts{};
    parts[0] = {.vtype = RD_KAFKA_VTYPE_TOPIC, .u = {.cstr = message.topic.c_str()}};
    parts[1] = {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u = {.i = RD_KAFKA_MSG_F_COPY}};
    parts[2] = {.vtype = RD_KAFKA_VTYPE_KEY, .u = {.mem = bytes_of(message.key)}};
    parts[3] = {.vtype = RD_KAFKA_VTYPE_VALUE, .u = {.mem = bytes_of(message.value)}};
    parts[4] = {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u = {.ptr = pending.get()}};
    parts[5] = {.vtype = RD_KAFKA_VTYPE_HEADERS, .u = {.headers = headers.get()}};
    const std::unique_ptr<rd_kafka_error_t, Freed<rd_kafka_error_destroy>> failure(
        rd_kafka_produceva(client_.get(), parts.data(), headers == nullptr ? parts.size() - 1 : parts.size()));
    const rd_kafka_resp_err_t error =
        failure == nullptr ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(failure.get());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      static_cast<void>(headers.release());
      static_cast<void>(pending.release());
      return nullptr;
    }
    if (error == RD_KAFKA_RESP_ERR__FATAL) is_broken_ = true;
    return error == RD_KAFKA_RESP_ERR__QUEUE_FULL ? "too many records wait for the cluster" : rd_kafka_err2str(error);
  }

  Handle make() {
    Conf conf = make_conf(context_,
                          {{"linger.ms", "1"},
                           {"partitioner", "murmur2_random"},  // as Kafka's own clients place a key
                           {"queue.buffering.max.messages", fmt::format("{}", kRecordsMax).c_str()},
                           {"queue.buffering.max.kbytes", fmt::format("{}", options_.waiting_bytes_max / kKiB).c_str()},
                           {"message.timeout.ms", fmt::format("{}", options_.timeout.count()).c_str()}},
                          {{"enable.idempotence", "true"}});
    rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
    rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int error, const char*, void* opaque) {
      if (error != RD_KAFKA_RESP_ERR__FATAL) return;
      static_cast<Inside*>(static_cast<Context*>(opaque)->owner)->is_broken_ = true;
    });
    return make_client(RD_KAFKA_PRODUCER, std::move(conf));
  }

  void poll() {
    while (!stopping_) {
      rd_kafka_poll(client_.get(), kPollMs);
      if (is_broken_) replace();
    }
  }

  void replace() {
    context_.config.log(true, "the producer has ended for good; another one takes its place");
    Handle next = make();
    {
      const std::unique_lock lock(mutex_);
      std::swap(client_, next);
      is_broken_ = false;
    }
    end(*next, milliseconds{0});
  }

  static void end(rd_kafka_t& client, milliseconds patience) {
    rd_kafka_flush(&client, static_cast<int>(patience.count()));
    rd_kafka_purge(&client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(&client) > 0) rd_kafka_poll(&client, kPollMs);
  }

  Context context_;
  const Options options_;
  std::shared_mutex mutex_;  // unique: the client is exchanged, or there is none any more
  bool is_closed_ = false;
  std::atomic<bool> is_broken_{false};
  std::atomic<bool> stopping_{false};
  Handle client_;
  std::thread thread_;
};

Producer::Producer(const Config& config, const Options& options) : inside_(std::make_unique<Inside>(config, options)) {}

Producer::~Producer() {
  close(milliseconds{0});
}

void Producer::send(Message message, Produced done) {
  inside_->send(std::move(message), std::move(done));
}

void Producer::close(milliseconds patience) {
  inside_->close(patience);
}

}  // namespace rillgate::kafka
