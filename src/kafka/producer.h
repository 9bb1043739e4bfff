// Writes records, each at most once, and says where they lie once the cluster has them safely (acks=all).
//
// librdkafka's idempotent producer keeps the order of a partition and sends nothing twice, but may end for good after
// disconnects in the wrong moment (its issue 4438); then another one takes its place, and what was pending has failed.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "kafka/config.h"
#include "kafka/record.h"

namespace rillgate::kafka {

/// Why a record was not written, as a clause. Whether it was written all the same can't always be known; twice it never
/// is.
struct ProduceError {
  std::string reason;
};
using Produced = std::move_only_function<void(std::expected<Place, ProduceError>)>;

class Producer {
 public:
  struct Options {
    std::chrono::milliseconds timeout{8'000};    // a record that is not written by then has failed
    std::uint64_t waiting_bytes_max = 64 << 20;  // stops a dead cluster from filling the memory
  };
  /// `config` outlives the producer. Throws std::runtime_error when librdkafka refuses the configuration.
  Producer(const Config& config, const Options& options);
  /// Closes.
  ~Producer();

  /// Records of one key go to one partition, in the order of the calls. `done` is called once, on the producer's thread
  /// (on the caller's, when the record is refused at once); it must not block or throw. Any thread.
  void send(Message message, Produced done);

  /// Refuses what comes from now on, gives what is pending `patience` to be written, then lets it fail. Blocks until
  /// all callbacks were called. Not from a callback.
  void close(std::chrono::milliseconds patience);

 private:
  class Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace rillgate::kafka
