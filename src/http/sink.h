// An open response body without an end: what is left of an HTTP exchange once it has become a stream of events.
// HTTP/1.1 over cleartext implements it; HTTP/2 and TLS can.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/frame.h"
#include "io/reactor.h"

namespace rillgate::http {

/// Owned by the reactor's thread. write() alone may be called by another thread: one at a time, and never beyond the
/// sink's life; who calls makes sure of both (the hub's flush token does).
class Sink {
 public:
  /// Told on the reactor's thread.
  class Owner {
   public:
    /// After write() said kFull. May also come when it did not.
    virtual void on_writable() = 0;
    /// The client is gone. Told once.
    virtual void on_closed() = 0;

   protected:
    ~Owner() = default;
  };

  virtual ~Sink() = default;

  /// From now on the owner is told.
  virtual void start(Owner& owner) = 0;
  /// Sends as many frames as the transport takes without waiting. A frame that was taken in part must be the first one
  /// of the next call.
  virtual Written write(std::span<const Frame> frames) = 0;
  /// Ends the body as its protocol does, if the transport takes that, and lets the connection go. The owner is told
  /// nothing any more.
  virtual void finish() = 0;
};

}  // namespace rillgate::http
