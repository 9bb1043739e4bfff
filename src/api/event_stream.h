// An open stream of events: the hub's stream and HTTP's sink in one compact object. It lives on the reactor that
// accepted its connection (its owner); publishers on other threads may write it while they hold the hub's flush token.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>

#include "api/stream_owner.h"
#include "base/prefetch.h"
#include "http/exchange.h"
#include "hub/hub.h"
#include "io/reactor.h"

namespace rillgate::api {

/// Told when a stream has ended, on its owner's thread.
using OnEnd = std::move_only_function<void()>;

class EventStream : public hub::Stream, public http::Sink::Owner, public io::Timer {
 public:
  EventStream(hub::Hub& hub, StreamOwner& owner) : owner_(owner), hub_(hub) {}
  virtual ~EventStream();

  /// After the hub has taken the stream in: from here on it lives until its end, and deletes itself.
  void start(std::unique_ptr<http::Sink> sink, OnEnd on_end);
  /// Ends the stream at `when`, with a last block that asks the client to return after `retry`.
  void end_at(io::Time when, std::chrono::milliseconds retry);
  /// Ends the stream now, whatever waits for it.
  void cut();

  [[nodiscard]] StreamOwner& owner() { return owner_; }

 protected:
  [[nodiscard]] hub::Hub& hub() { return hub_; }
  /// Sends what waits; the caller holds the token.
  void flush();
  /// The first thing to do, then at each time that was asked for by tick_at(), or sooner.
  virtual void on_start() = 0;
  virtual void on_tick(io::Time now) = 0;
  /// In place of the time that was asked for before. It never puts off the stream's end.
  void tick_at(io::Time when) { owner_.reactor.start(*this, std::min(when, ends_at_)); }
  /// All that was queued is sent.
  virtual void on_idle() {}

 private:
  friend class StreamOwner;

  Written write(std::span<const Frame> frames) override { return sink_->write(frames); }
  void on_writable() override;
  void on_closed() override;
  void on_time(io::Time now) override;
  void destroy();
  void prefetch_sink() const { prefetch(sink_.get(), 64); }

  StreamTable::Place place_;
  StreamOwner& owner_;
  hub::Hub& hub_;
  std::unique_ptr<http::Sink> sink_;
  OnEnd on_end_;
  io::Time ends_at_ = io::Time::max();
  std::chrono::milliseconds last_retry_{0};
};

/// A stream of user events: its first block tells the position, and a keep-alive follows each silence.
class UserStream final : public EventStream {
 public:
  struct KeepAlive {
    std::chrono::milliseconds interval;
    Ref<hub::Event> comment;
  };
  UserStream(hub::Hub& hub, StreamOwner& owner, const KeepAlive& keep_alive)
      : EventStream(hub, owner), keep_alive_(keep_alive) {}

 private:
  void on_start() override;
  void on_tick(io::Time now) override;

  const KeepAlive& keep_alive_;
};

}  // namespace rillgate::api
