#include "api/event_stream.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <latch>
#include <span>

#include "sse/encode.h"

namespace rillgate::api {
namespace {

/// Up to so many streams a publisher writes itself; more go to their owners, where waiting events join in one write.
/// Measured in docs/decisions/0002-publisher-writes.md.
constexpr std::size_t kInlineStreamsMax = 16;
constexpr std::size_t kReactorsMax = 256;

}  // namespace

EventStream::~EventStream() = default;

void EventStream::start(std::unique_ptr<http::Sink> sink, OnEnd on_end) {
  sink_ = std::move(sink);
  on_end_ = std::move(on_end);
  owner_.streams.push_back(*this);
  owner_.open.fetch_add(1, std::memory_order_relaxed);
  sink_->start(*this);
  on_start();
}

void EventStream::end_at(io::Time when, std::chrono::milliseconds retry) {
  ends_at_ = when;
  last_retry_ = retry;
  tick_at(owner_.reactor.now());  // what ticks goes on until then
}

void EventStream::cut() {
  if (hub_.detach(*this, hub::End::kDrain)) destroy();
}

void EventStream::on_time(io::Time now) {
  if (now < ends_at_) {
    on_tick(now);
    return;
  }
  const auto last = hub::Event::fixed(sse::control_block({.type = "stream-close", .retry = last_retry_}));
  if (hub_.finish(*this, hub::End::kDrain, last)) flush();
}

void EventStream::on_writable() {
  if (hub_.writable(*this)) flush();
}

void EventStream::on_closed() {
  if (hub_.detach(*this, hub::End::kClient)) destroy();
}

void EventStream::flush() {
  hub::FlushList others;
  finish(hub_.flush(*this, others));
  flush_all(others);
}

/// Does what a flush left to the owner.
void EventStream::finish(hub::Flushed flushed) {
  switch (flushed) {
    case hub::Flushed::kIdle:
      if (owner_.reactor.on_this_thread()) on_idle();
      return;
    case hub::Flushed::kBlocked:
      return;
    case hub::Flushed::kEnded:
      if (owner_.reactor.on_this_thread()) {
        destroy();
        return;
      }
      break;
    case hub::Flushed::kMore:
      break;
  }
  io::MailChain mail;
  mail.add(*this);
  owner_.reactor.send(mail);
}

void EventStream::destroy() {
  sink_->finish();
  io::TimerWheel::stop(*this);
  ListHook<OfReactor>::unlink();
  owner_.open.fetch_sub(1, std::memory_order_relaxed);
  if (on_end_) std::exchange(on_end_, nullptr)();
  owner_.reactor.at_end_of_round([this] { delete this; });
}

/// One letter for each reactor, however many streams.
class OwnersMail {
 public:
  void add(hub::FlushList streams) {
    while (!streams.empty()) {
      auto& stream = static_cast<EventStream&>(streams.pop());
      const std::size_t index = stream.owner_.index;
      assert(index < kReactorsMax);
      for (; count_ <= index; ++count_) reactors_[count_] = nullptr;
      reactors_[index] = &stream.owner_.reactor;
      mail_[index].add(stream);
    }
  }
  void send() {
    for (std::size_t i = 0; i < count_; ++i) {
      if (reactors_[i] != nullptr) reactors_[i]->send(mail_[i]);
    }
  }
  /// Sends, and waits until all have been read.
  void send_and_wait() {
    std::array<Fence, kReactorsMax> fences;
    const auto receivers = std::ranges::count_if(std::span(reactors_).first(count_), [](auto* each) { return each; });
    std::latch read(receivers);
    for (std::size_t i = 0; i < count_; ++i) {
      if (reactors_[i] == nullptr) continue;
      fences[i].read = &read;
      mail_[i].add(fences[i]);
    }
    send();
    read.wait();
  }

 private:
  struct Fence final : io::MailItem {
    void on_mail() override { read->count_down(); }
    std::latch* read = nullptr;
  };
  std::array<io::MailChain, kReactorsMax> mail_;
  std::array<io::Reactor*, kReactorsMax> reactors_;
  std::size_t count_ = 0;
};

void flush_all(hub::FlushList streams) {
  while (!streams.empty() && streams.size() <= kInlineStreamsMax) {
    auto& stream = static_cast<EventStream&>(streams.pop());
    hub::FlushList others;
    const hub::Flushed flushed = stream.hub_.flush(stream, others);
    stream.finish(flushed);
    while (!others.empty()) streams.push(others.pop());
  }
  if (streams.empty()) return;
  OwnersMail mail;
  mail.add(std::exchange(streams, {}));
  mail.send();
}

void flush_by_owners(hub::FlushList streams) {
  if (streams.empty()) return;
  OwnersMail mail;
  mail.add(std::exchange(streams, {}));
  mail.send_and_wait();
}

void UserStream::on_start() {
  tick_at(owner().reactor.now() + keep_alive_.interval);
  flush();  // the first block
}

void UserStream::on_tick(io::Time) {
  const auto [to_flush, next] = hub().keep_alive(*this, keep_alive_.comment, keep_alive_.interval);
  tick_at(next);
  if (to_flush) flush();
}

}  // namespace rillgate::api
