#include "api/event_stream.h"

#include <utility>

#include "sse/encode.h"

namespace rillgate::api {
EventStream::~EventStream() = default;

void EventStream::start(std::unique_ptr<http::Sink> sink, OnEnd on_end) {
  sink_ = std::move(sink);
  on_end_ = std::move(on_end);
  owner_.add(*this);
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
  StreamOwner& owner = owner_;
  const bool is_owners_thread = owner.reactor.on_this_thread();
  hub::FlushList others;
  switch (hub_.flush(*this, others)) {
    case hub::Flushed::kIdle:
      if (is_owners_thread) on_idle();  // to any other thread the stream is gone, maybe in truth
      break;
    case hub::Flushed::kBlocked:
      break;
    case hub::Flushed::kEnded:
      if (is_owners_thread) {
        destroy();
        break;
      }
      [[fallthrough]];
    case hub::Flushed::kMore:
      StreamOwner::leave(*this);
      owner.call();
      break;
  }
  flush_by_owners(others);
}

void EventStream::destroy() {
  sink_->finish();
  io::TimerWheel::stop(*this);
  owner_.remove(*this);
  if (on_end_) std::exchange(on_end_, nullptr)();
  owner_.reactor.at_end_of_round([this] { delete this; });
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
