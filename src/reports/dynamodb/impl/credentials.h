// Where the key pair comes from that requests to AWS are signed with.
//
// Asked in this order, as AWS's own tools do: the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
// AWS_SESSION_TOKEN); the profile AWS_PROFILE (`default`) of the file AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials);
// the container's endpoint (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI). With an endpoint of one's own, which
// then is DynamoDB Local, and nothing found: the pair kLocalKey, the same as in dynamodb_local_init.sh.
//
// A file is read again after a while, a container asked again before its credentials expire; while that fails, those
// that still hold are used.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "reports/dynamodb/impl/loop.h"
#include "reports/dynamodb/impl/task.h"

namespace rillgate::reports::dynamodb {

struct Credentials {
  std::string key_id;
  std::string secret;
  std::string session_token;  // empty: none

  bool operator==(const Credentials&) const = default;
};

/// Letters and digits only: DynamoDB Local refuses other key ids.
inline constexpr std::string_view kLocalKey = "rillgate";

using WallSeconds = std::chrono::sys_seconds;

struct ExpiringCredentials {
  Credentials credentials;
  std::optional<WallSeconds> expires;  // none: not known to
};

/// The value of an environment variable; nothing when it is unset or empty.
using Environment = std::function<std::optional<std::string>(const char* name)>;

/// The key pair of a profile in the text of a credentials file; nothing when it has none.
[[nodiscard]] std::optional<Credentials> profile_credentials(std::string_view file, std::string_view profile);

/// What a container's endpoint answers.
[[nodiscard]] std::optional<ExpiringCredentials> container_credentials(std::string_view json);

/// The address of the container's endpoint. Without TLS the token would be for all to read, so then it must be this
/// machine or one of the addresses that AWS uses.
[[nodiscard]] std::expected<std::optional<std::string>, Error> container_address(const Environment& environment);

class CredentialSource {
 public:
  /// `loop` outlives it. The environment is asked on the loop's thread.
  CredentialSource(Loop& loop, Environment environment, bool is_local)
      : loop_(loop), environment_(std::move(environment)), is_local_(is_local) {}

  [[nodiscard]] Task<std::expected<Credentials, Error>> get(SteadyTime deadline);
  /// DynamoDB took those it was given for expired: the next get() looks for new ones.
  void reject() { look_again_ = {}; }

 private:
  [[nodiscard]] Task<std::expected<ExpiringCredentials, Error>> find(SteadyTime deadline);
  [[nodiscard]] Task<std::expected<ExpiringCredentials, Error>> ask_container(std::string url, SteadyTime deadline);
  [[nodiscard]] std::optional<Credentials> from_environment() const;
  [[nodiscard]] std::optional<Credentials> from_file() const;

  Loop& loop_;
  const Environment environment_;
  const bool is_local_;
  std::optional<ExpiringCredentials> held_;
  SteadyTime look_again_{};
  Turnstile looking_;
  std::optional<Error> failure_;  // of the last look
};

}  // namespace rillgate::reports::dynamodb
