// The client's side of the Kafka benchmark. Each call does one thing and prints one JSON object; bench/run puts them
// together.
//
//   kafka_bench fill    --brokers B --topic T --records N --users N     writes records of 100 bytes
//   kafka_bench bare    --brokers B --topic T --records N               reads them, and does nothing else
//   kafka_bench streams --brokers B --topic T --records N --users N --port P --pid P
//                       opens a stream for each user of the server, writes records, and waits for all events
#include <arpa/inet.h>
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "stream_load/processes.h"

namespace rillgate::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kRecordBytes = 100;
constexpr int kBatch = 1'000;
constexpr auto kPatience = std::chrono::seconds(120);

[[noreturn]] void give_up(std::string_view reason) {
  fmt::print(stderr, "kafka_bench: {}\n", reason);
  std::exit(1);
}

using Arguments = std::map<std::string, std::string, std::less<>>;

std::uint64_t number(const Arguments& arguments, std::string_view name) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) give_up(fmt::format("--{} is missing", name));
  return std::stoull(found->second);
}

const std::string& text(const Arguments& arguments, std::string_view name) {
  const auto found = arguments.find(name);
  if (found == arguments.end()) give_up(fmt::format("--{} is missing", name));
  return found->second;
}

rd_kafka_t* client(rd_kafka_type_t type, const Arguments& arguments,
                   std::initializer_list<std::pair<const char*, const char*>> properties) {
  std::array<char, 512> message{};
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", text(arguments, "brokers").c_str(), nullptr, 0);
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf, name, value, message.data(), message.size()) != RD_KAFKA_CONF_OK)
      give_up(message.data());
  }
  rd_kafka_t* const made = rd_kafka_new(type, conf, message.data(), message.size());
  if (made == nullptr) give_up(message.data());
  return made;
}

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Spread evenly over users and, by a key that is the user, over partitions.
void write_records(const Arguments& arguments) {
  const std::uint64_t users = number(arguments, "users");
  const std::uint64_t records = number(arguments, "records");
  rd_kafka_t* const producer =
      client(RD_KAFKA_PRODUCER, arguments, {{"linger.ms", "5"}, {"queue.buffering.max.messages", "200000"}});
  for (std::uint64_t i = 0; i < records; ++i) {
    const std::string user = fmt::format("u{}", i % users);
    std::string value = user + ":";
    value.resize(kRecordBytes, 'x');
    while (rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(text(arguments, "topic").c_str()),
                             RD_KAFKA_V_KEY(user.data(), user.size()), RD_KAFKA_V_VALUE(value.data(), value.size()),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                             RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(producer, 10);
    }
    if (i % kBatch == 0) rd_kafka_poll(producer, 0);
  }
  if (rd_kafka_flush(producer, 120'000) != RD_KAFKA_RESP_ERR_NO_ERROR) give_up("the records were not written");
  rd_kafka_destroy(producer);
}

/// What any reader of the topic pays: fetch, take apart, hand over.
void bare(const Arguments& arguments) {
  const std::uint64_t records = number(arguments, "records");
  const char* const name = text(arguments, "topic").c_str();
  rd_kafka_t* const consumer = client(RD_KAFKA_CONSUMER, arguments, {});
  rd_kafka_topic_t* const topic = rd_kafka_topic_new(consumer, name, nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(consumer, 0, topic, &metadata, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR) give_up("no metadata");
  rd_kafka_queue_t* const queue = rd_kafka_queue_new(consumer);
  const Clock::time_point begun = Clock::now();
  const double cpu = own_cpu_seconds();
  for (int i = 0; i < metadata->topics[0].partition_cnt; ++i) rd_kafka_consume_start_queue(topic, i, 0, queue);
  std::array<rd_kafka_message_t*, kBatch> batch;
  std::uint64_t read = 0;
  std::uint64_t bytes = 0;
  while (read < records && Clock::now() < begun + kPatience) {
    ssize_t count = rd_kafka_consume_batch_queue(queue, 0, batch.data(), batch.size());
    if (count <= 0) count = rd_kafka_consume_batch_queue(queue, 100, batch.data(), 1);
    for (ssize_t i = 0; i < count; ++i) {
      rd_kafka_message_t* const message = batch[static_cast<std::size_t>(i)];
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ++read;
        bytes += message->len;
      }
      rd_kafka_message_destroy(message);
    }
  }
  const double took = seconds_since(begun);
  if (read < records || bytes < records * kRecordBytes) give_up("not all records were read");
  fmt::print(R"({{"per_second":{:.0f},"cpu_us":{:.3f}}})", static_cast<double>(read) / took,
             (own_cpu_seconds() - cpu) * 1e6 / static_cast<double>(read));
  std::fflush(stdout);
  std::_Exit(0);  // without taking leave of the broker
}

/// Streams that are counted, not understood: an event ends with an empty line.
class Streams {
 public:
  Streams(std::uint16_t port, std::uint64_t count) : epoll_(epoll_create1(EPOLL_CLOEXEC)), ends_with_line_(count) {
    for (std::uint64_t i = 0; i < count; ++i) open(port, i);
  }
  /// Reads until so many empty lines have come.
  void read_until(std::uint64_t wanted) {
    std::array<epoll_event, 256> ready{};
    std::vector<char> buffer(1 << 16);
    const Clock::time_point until = Clock::now() + kPatience;
    while (blocks_ < wanted) {
      if (Clock::now() > until) give_up(fmt::format("{} of {} events came", blocks_, wanted));
      const int count = epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), 100);
      for (int i = 0; i < count; ++i) take(ready[static_cast<std::size_t>(i)].data.u64, buffer);
    }
  }

 private:
  void open(std::uint16_t port, std::uint64_t index) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("connect failed");
    // Of HTTP/1.0, so that nothing but the events comes after the head.
    const std::string request = fmt::format("GET /v3/sse?username=u{} HTTP/1.0\r\nHost: localhost\r\n\r\n", index);
    if (::send(fd, request.data(), request.size(), 0) != static_cast<ssize_t>(request.size())) give_up("send failed");
    fds_.push_back(fd);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void take(std::uint64_t index, std::vector<char>& buffer) {
    const ssize_t size = ::recv(fds_[index], buffer.data(), buffer.size(), 0);
    if (size <= 0) give_up("a stream ended");
    bool ends_with_line = ends_with_line_[index];
    for (ssize_t i = 0; i < size; ++i) {
      const bool is_line_end = buffer[static_cast<std::size_t>(i)] == '\n';
      if (is_line_end && ends_with_line) ++blocks_;
      ends_with_line = is_line_end;
    }
    ends_with_line_[index] = ends_with_line;
  }

  int epoll_;
  std::vector<int> fds_;
  std::vector<bool> ends_with_line_;
  std::uint64_t blocks_ = 0;
};

void streams(const Arguments& arguments) {
  const std::uint64_t users = number(arguments, "users");
  const std::uint64_t records = number(arguments, "records");
  const Processes server(static_cast<int>(number(arguments, "pid")));
  Streams streams(static_cast<std::uint16_t>(number(arguments, "port")), users);
  streams.read_until(users);  // the first blocks
  const std::uint64_t cpu = server.cpu_ns();
  const Clock::time_point begun = Clock::now();
  std::thread writer([&] { write_records(arguments); });
  streams.read_until(users + records);
  const double took = seconds_since(begun);
  writer.join();
  fmt::print(R"({{"per_second":{:.0f},"cpu_us":{:.3f}}})", static_cast<double>(records) / took,
             static_cast<double>(server.cpu_ns() - cpu) / 1e3 / static_cast<double>(records));
}

}  // namespace
}  // namespace rillgate::bench

int main(int argc, char** argv) {
  using namespace rillgate::bench;
  if (argc < 2 || argc % 2 != 0) give_up("kafka_bench fill|bare|streams --NAME VALUE…");
  Arguments arguments;
  for (int i = 2; i + 1 < argc; i += 2) arguments[std::string_view(argv[i]).substr(2).data()] = argv[i + 1];
  const std::string_view what = argv[1];
  if (what == "fill") {
    write_records(arguments);
    fmt::print("{{}}");
  } else if (what == "bare") {
    bare(arguments);
  } else if (what == "streams") {
    streams(arguments);
  } else {
    give_up(fmt::format("what is {}?", what));
  }
}
