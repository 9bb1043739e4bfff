#include "load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/text.h"

namespace rillgate::bench {
namespace {

/// Begins each message: the run, and when the message was due, in hexadecimal; then it is filled up.
constexpr std::string_view kMark = "~M";
constexpr std::size_t kMarkBytes = kMark.size() + 4 + 16;
constexpr std::size_t kMessageBytes = 100;
/// A kernel buffer that is soon full.
constexpr int kStalledBuffer = 4096;
/// Source addresses 127.0.0.2 and on, since one address has 28,000 ports only.
constexpr std::size_t kSources = 4;
constexpr std::uint64_t kSecond = 1'000'000'000;
/// Longer than any server needs to answer or to give everyone a message.
constexpr std::uint64_t kPatience = 20 * kSecond;

constexpr std::uint64_t kPublisherBit = std::uint64_t{1} << 32;

[[noreturn]] void give_up(std::string_view reason) {
  fmt::print(stderr, "stream_load: {}\n", reason);
  std::exit(1);
}

std::uint64_t now() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
}

std::uint64_t hex(std::string_view digits) {
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

int new_socket(std::size_t source, int receive_buffer) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) give_up(fmt::format("no socket: {}", std::strerror(errno)));
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_buffer > 0) ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + static_cast<std::uint32_t>(source % kSources));
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("can't bind");
  return fd;
}

void begin_to_connect(int fd, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (result != 0 && errno != EINPROGRESS) give_up(fmt::format("can't connect: {}", std::strerror(errno)));
}

void watch(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t who) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = who;
  ::epoll_ctl(epoll, operation, fd, &event);
}

}  // namespace

struct Load::Reader {
  enum class State : std::uint8_t { kConnecting, kHead, kOpen, kStalled, kClosed };
  std::uint32_t number = 0;
  int fd = -1;
  State state = State::kClosed;
  std::string rest;  // the head, or what may be the beginning of a mark
};

struct Load::Publisher {
  std::uint32_t number = 0;
  int fd = -1;
  bool connected = false;
  bool waits = false;  // for an answer
  std::string request;
  std::size_t sent = 0;
  std::string answer;
};

Load::Load(Speech speech) : speech_(std::move(speech)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

Load::~Load() {
  close_streams();
  for (const Publisher& publisher : publishers_) ::close(publisher.fd);
  ::close(epoll_);
}

// ---- Streams

void Load::connect(Reader& reader, int receive_buffer) {
  reader.fd = new_socket(reader.number, receive_buffer);
  reader.state = Reader::State::kConnecting;
  reader.rest.clear();
  ++connecting_;
  begin_to_connect(reader.fd, speech_.port);
  watch(epoll_, EPOLL_CTL_ADD, reader.fd, EPOLLOUT, reader.number);
}

std::uint64_t Load::open(std::size_t count, std::size_t connecting) {
  const std::uint64_t begun = now();
  readers_.resize(std::max(readers_.size(), count));
  std::size_t next = 0;
  while (open_ < count) {
    while (next < count && connecting_ < connecting) {
      Reader& reader = readers_[next];
      reader.number = static_cast<std::uint32_t>(next++);
      if (reader.state == Reader::State::kClosed) connect(reader, 0);
    }
    poll(kSecond / 100);
    if (now() - begun > kPatience) give_up(fmt::format("only {} of {} streams opened", open_, count));
  }
  return now() - begun;
}

void Load::open_stalled() {
  Reader& reader = readers_.emplace_back();
  reader.number = static_cast<std::uint32_t>(readers_.size() - 1);
  connect(reader, kStalledBuffer);
  const std::uint64_t begun = now();
  while (reader.state != Reader::State::kOpen) {
    poll(kSecond / 100);
    if (now() - begun > kPatience) give_up("the stalled stream did not open");
  }
  reader.state = Reader::State::kStalled;
  --open_;
  watch(epoll_, EPOLL_CTL_DEL, reader.fd, 0, 0);
}

void Load::close_streams() {
  for (Reader& reader : readers_) {
    if (reader.state != Reader::State::kClosed) ::close(reader.fd);
    reader.state = Reader::State::kClosed;
  }
  open_ = 0;
}

void Load::on_reader(Reader& reader, std::uint32_t events) {
  if (reader.state == Reader::State::kClosed) return;
  if (reader.state == Reader::State::kConnecting) {
    std::string request =
        fmt::format("GET {} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n", speech_.stream_path);
    replace_all(request, "{i}", std::to_string(reader.number));
    const bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if (failed || ::send(reader.fd, request.data(), request.size(), MSG_NOSIGNAL) != std::ssize(request)) {
      give_up("a stream was refused");
    }
    reader.state = Reader::State::kHead;
    watch(epoll_, EPOLL_CTL_MOD, reader.fd, EPOLLIN, reader.number);
    return;
  }
  static std::array<char, 256 * 1024> buffer;
  const ssize_t got = ::recv(reader.fd, buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    if (reader.state != Reader::State::kOpen) give_up("the server ended a stream before it was open");
    ::close(reader.fd);
    reader.state = Reader::State::kClosed;
    --open_;
    ++ended_;
    return;
  }
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  if (reader.state == Reader::State::kOpen) {
    scan(reader, bytes);
    return;
  }
  reader.rest += bytes;
  if (!reader.rest.contains("\r\n\r\n")) return;
  if (!reader.rest.contains(" 200 ")) give_up("a stream was answered with: " + reader.rest);
  reader.rest = {};
  reader.state = Reader::State::kOpen;
  ++open_;
  --connecting_;
}

/// Finds the messages in what was read. A mark may lie across the border of two reads.
void Load::scan(Reader& reader, std::string_view bytes) {
  std::string joined;
  if (!reader.rest.empty()) {
    joined = std::exchange(reader.rest, {}).append(bytes);
    bytes = joined;
  }
  const std::uint64_t time = now();
  for (std::size_t at = bytes.find('~'); at != std::string_view::npos; at = bytes.find('~')) {
    bytes.remove_prefix(at);
    if (bytes.size() < kMarkBytes) {
      reader.rest = bytes;
      return;
    }
    if (bytes.starts_with(kMark) && hex(bytes.substr(kMark.size(), 4)) == run_) {
      ++delivered_;
      if (measuring_) latency_.add(time - std::min(time, hex(bytes.substr(kMark.size() + 4, 16))));
    }
    bytes.remove_prefix(1);
  }
}

// ---- Publishers

void Load::connect_publishers(std::size_t count) {
  publishers_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    publishers_[i].number = static_cast<std::uint32_t>(i);
    connect(publishers_[i]);
  }
  idle(kSecond / 20);
}

void Load::connect(Publisher& publisher) {
  publisher.fd = new_socket(kSources - 1, 0);
  publisher.connected = false;
  begin_to_connect(publisher.fd, speech_.publish_port);
  watch(epoll_, EPOLL_CTL_ADD, publisher.fd, EPOLLOUT, kPublisherBit | publisher.number);
}

void Load::publish(Publisher& publisher, std::uint64_t due) {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const bool stalled = (random_ >> 32) % 100 < traffic_.stalled_share;
  const std::size_t target = stalled ? traffic_.streams : random_ % traffic_.streams;
  std::string message = fmt::format("{}{:04x}{:016x}", kMark, run_, due);
  message.resize(kMessageBytes, 'x');
  const std::string number = std::to_string(target);
  std::string path = speech_.publish_path;
  std::string body = speech_.publish_body;
  replace_all(path, "{i}", number);
  replace_all(body, "{i}", number);
  replace_all(body, "{m}", message);
  publisher.request = fmt::format("POST {} HTTP/1.1\r\nHost: bench\r\n{}Content-Length: {}\r\n\r\n{}", path,
                                  speech_.publish_fields, body.size(), body);
  publisher.waits = true;
  // A request fits any socket that has none waiting.
  if (::send(publisher.fd, publisher.request.data(), publisher.request.size(), MSG_NOSIGNAL) !=
      std::ssize(publisher.request)) {
    give_up("a publisher's connection broke");
  }
  ++published_;
  to_stalled_ += stalled ? 1 : 0;
}

void Load::on_publisher(Publisher& publisher, std::uint32_t events) {
  if (!publisher.connected) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) give_up("a publisher was refused");
    publisher.connected = true;
    watch(epoll_, EPOLL_CTL_MOD, publisher.fd, EPOLLIN, kPublisherBit | publisher.number);
    return;
  }
  std::array<char, 16 * 1024> buffer;
  const ssize_t got = ::recv(publisher.fd, buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN) return;
  bool ended = got <= 0;
  if (!ended) publisher.answer.append(buffer.data(), static_cast<std::size_t>(got));

  const std::size_t head_end = publisher.answer.find("\r\n\r\n");
  const std::string_view head = std::string_view(publisher.answer).substr(0, head_end);
  bool whole = ended;
  if (head_end != std::string::npos) {
    const auto field = [&](std::string_view name) -> std::string_view {
      for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
        const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
        if (equals_ignoring_case(line.substr(0, name.size()), name)) return trimmed(line.substr(name.size()));
      }
      return {};
    };
    const std::size_t body_bytes = publisher.answer.size() - head_end - 4;
    const auto length = parse_decimal(field("Content-Length:"));
    whole = whole || (length && body_bytes >= *length) || publisher.answer.ends_with("\r\n0\r\n\r\n") ||
            head.contains(" 204 ");
    if (whole && !head.substr(0, 13).contains(" 20")) ++refused_;
    ended = ended || (whole && equals_ignoring_case(field("Connection:"), "close"));
  } else if (ended && publisher.waits) {
    give_up("the server ended a publisher's connection");
  }
  if (!whole) return;
  publisher.waits = false;
  publisher.answer.clear();
  if (ended) {
    ::close(publisher.fd);
    connect(publisher);
  }
}

// ---- The loop

void Load::poll(std::uint64_t wait_ns) {
  static std::array<epoll_event, 1024> events;
  const timespec wait{static_cast<time_t>(wait_ns / kSecond), static_cast<long>(wait_ns % kSecond)};
  const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const auto number = static_cast<std::uint32_t>(event.data.u64);
    if ((event.data.u64 & kPublisherBit) != 0) {
      on_publisher(publishers_[number], event.events);
    } else {
      on_reader(readers_[number], event.events);
    }
  }
}

void Load::idle(std::uint64_t nanoseconds) {
  const std::uint64_t end = now() + nanoseconds;
  for (std::uint64_t time = now(); time < end; time = now()) poll(std::min(end - time, kSecond / 50));
}

std::uint64_t Load::expected() const {
  const std::uint64_t copies = traffic_.to == Traffic::To::kAll ? traffic_.streams : 1;
  return (published_ - to_stalled_ - refused_) * copies;
}

Outcome Load::run(const Traffic& traffic, const std::function<void()>& on_begin, const std::function<void()>& on_end) {
  traffic_ = traffic;
  ++run_;
  published_ = to_stalled_ = refused_ = delivered_ = 0;
  latency_.clear();
  const std::uint64_t begun = now();
  const std::uint64_t measured_from = begun + traffic.warm_up_ns;
  const std::uint64_t end = measured_from + traffic.measured_ns;
  const std::uint64_t copies = traffic.to == Traffic::To::kAll ? traffic.streams : 1;
  const auto interval = static_cast<std::uint64_t>(traffic.per_second > 0 ? 1e9 / traffic.per_second : 0);
  std::uint64_t due = begun;
  Outcome outcome;
  std::uint64_t published_before = 0;
  std::uint64_t delivered_before = 0;
  std::uint64_t time = begun;
  for (; time < end; time = now()) {
    if (!measuring_ && time >= measured_from) {
      on_begin();
      measuring_ = true;
      outcome.wall_ns = now();
      published_before = published_;
      delivered_before = delivered_;
    }
    for (Publisher& publisher : publishers_) {
      if (publisher.waits || !publisher.connected) continue;
      if (interval > 0 && due > time) break;
      if (traffic.under_way > 0 && expected() - delivered_ > (traffic.under_way - 1) * copies) break;
      publish(publisher, interval > 0 ? due : now());
      due += interval;
    }
    poll(interval > 0 && due > time ? std::min(due - time, kSecond / 100) : kSecond / 100);
  }
  on_end();
  measuring_ = false;
  outcome.wall_ns = time - outcome.wall_ns;
  outcome.published = published_ - published_before;
  outcome.delivered = delivered_ - delivered_before;
  outcome.latency = latency_;
  // What is still under way arrives, or is lost.
  std::uint64_t last = now();
  for (std::uint64_t had = delivered_; expected() > delivered_ && now() - last < 2 * kSecond;) {
    poll(kSecond / 100);
    if (std::exchange(had, delivered_) != delivered_) last = now();
  }
  outcome.refused = refused_;
  outcome.ended_streams = std::exchange(ended_, 0);
  outcome.lost = expected() - std::min(expected(), delivered_);
  outcome.stuck_publishers = static_cast<std::size_t>(
      std::ranges::count_if(publishers_, [](const Publisher& publisher) { return publisher.waits; }));
  return outcome;
}

}  // namespace rillgate::bench
