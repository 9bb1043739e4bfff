// One operation of DynamoDB's: signed, sent, tried again where that can help, and its error understood.
//
// What passes by itself (throttling, a fault of the service, a network that fails) is tried up to kAttemptsMax times
// with jittered exponential pauses, all within the caller's deadline. The same text is sent each time, so a transaction
// with its ClientRequestToken is applied once.
#pragma once

#include <boost/json.hpp>
#include <chrono>
#include <expected>
#include <random>
#include <string>
#include <string_view>

#include "reports/dynamodb/impl/credentials.h"
#include "reports/dynamodb/impl/loop.h"
#include "reports/dynamodb/impl/task.h"
#include "reports/report_error.h"

namespace rillgate::reports::dynamodb {

enum class Fault {
  kUnreachable,  // no answer
  kService,      // DynamoDB says that the fault is its own
  kThrottled,    // more than the tables' capacity or the account's quota
  kConflict,     // a condition was not met, or another transaction has the items: read again and decide again
  kNoTable,      // a table is missing
  kCredentials,  // there are none, or they are not accepted
  kExpired,      // they were, until now
  kRejected,     // the request is wrong
};

struct CallError {
  Fault fault{};
  std::string what;  // DynamoDB's own words, or libcurl's
};

/// What an answer of DynamoDB's other than 200 means.
[[nodiscard]] CallError error_of(long status, std::string_view body);

/// What a failed call means to who asks the store: one clause, without paths and secrets.
[[nodiscard]] Unavailable unavailable(const CallError& error);

/// The pause before attempt 2, 3, …; at least half of what it is at the most, and doubled each time.
[[nodiscard]] std::chrono::milliseconds pause_before(int attempt, std::minstd_rand& random);

class Client {
 public:
  static constexpr int kAttemptsMax = 6;
  static constexpr std::chrono::milliseconds kPauseFirst{25};
  static constexpr std::chrono::milliseconds kPauseMax{1'000};

  struct Options {
    std::string endpoint;  // http(s)://HOST[:PORT]; empty: AWS's for the region
    std::string region;
    Environment environment;
  };
  /// `loop` outlives it; on its thread only.
  Client(Loop& loop, const Options& options);

  using Answer = std::expected<boost::json::object, CallError>;
  /// `operation` such as `GetItem`, with its parameters as JSON.
  [[nodiscard]] Task<Answer> call(std::string_view operation, std::string parameters, SteadyTime deadline);

  /// From now on no call goes on once there was no answer for so long.
  void end_after(std::chrono::milliseconds silence);
  [[nodiscard]] SteadyTime clipped(SteadyTime deadline) const { return std::min(deadline, end_); }
  /// Waits before attempt `attempt`; false when the deadline leaves no time for it.
  [[nodiscard]] Task<bool> pause(int attempt, SteadyTime deadline);

 private:
  [[nodiscard]] Task<Answer> attempt(std::string_view operation, const std::string& parameters, SteadyTime deadline);

  Loop& loop_;
  const std::string url_;
  const std::string region_;
  CredentialSource credentials_;
  std::minstd_rand random_{std::random_device{}()};
  std::optional<std::chrono::milliseconds> silence_;  // ends all calls
  SteadyTime end_ = SteadyTime::max();
};

}  // namespace rillgate::reports::dynamodb
