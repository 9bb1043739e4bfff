#include "reports/dynamodb/impl/credentials.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/text.h"

namespace rillgate::reports::dynamodb {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

/// Files are short; one that is not is no credentials file.
constexpr std::streamsize kFileBytesMax = 1 << 20;
/// Files do not say when their content expires.
constexpr seconds kFileRead{60};
/// Before they expire, if they live long enough for that; else at half of their time.
constexpr seconds kRefreshAhead{300};
/// After a look that found nothing new, while the old ones hold; also the shortest time between two looks.
constexpr seconds kRefreshAgain{1};
constexpr std::chrono::milliseconds kContainerTime{2'000};
constexpr int kContainerAttempts = 3;

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(static_cast<std::size_t>(kFileBytesMax), '\0');
  file.read(text.data(), kFileBytesMax);
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

/// `2026-01-31T23:59:59Z`, fractions ignored.
std::optional<WallSeconds> parse_time(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (text.size() <= kForm.size() || text.back() != 'Z') return std::nullopt;
  std::array<unsigned, 6> parts{};
  std::size_t part = 0;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const char c = text[i];
    if (kForm[i] != '0') {
      if (c != kForm[i]) return std::nullopt;
      ++part;
    } else if (c < '0' || c > '9') {
      return std::nullopt;
    } else {
      parts[part] = parts[part] * 10 + static_cast<unsigned>(c - '0');
    }
  }
  const std::chrono::year_month_day day(std::chrono::year(static_cast<int>(parts[0])), std::chrono::month(parts[1]),
                                        std::chrono::day(parts[2]));
  if (!day.ok()) return std::nullopt;
  return WallSeconds(std::chrono::sys_days(day)) + std::chrono::hours(parts[3]) + std::chrono::minutes(parts[4]) +
         seconds(parts[5]);
}

std::string text_member(const boost::json::object& object, const char* name) {
  const boost::json::value* const member = object.if_contains(name);
  if (member == nullptr || !member->is_string()) return {};
  return {member->get_string().data(), member->get_string().size()};
}

seconds time_to_refresh(seconds left) {
  return std::max(std::max(left - kRefreshAhead, left / 2), kRefreshAgain);
}

/// The host of an http address, without port; empty when there is more than host and port.
std::string_view host_of(std::string_view url) {
  url.remove_prefix(url.find("://") + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  const std::size_t end = url.starts_with('[') ? url.find(']') + 1 : url.find(':');
  const std::string_view port = end < url.size() ? url.substr(end) : std::string_view{};
  const bool is_port = port.empty() || (port.starts_with(':') && parse_decimal(port.substr(1)));
  return is_port ? url.substr(0, end) : std::string_view{};
}

}  // namespace

std::optional<Credentials> profile_credentials(std::string_view file, std::string_view profile) {
  Credentials found;
  bool is_inside = false;
  std::istringstream lines{std::string(file)};
  for (std::string text; std::getline(lines, text);) {
    if (text.ends_with('\r')) text.pop_back();
    const std::string_view line = trimmed(text);
    if (line.starts_with('[') && line.ends_with(']')) {
      is_inside = trimmed(line.substr(1, line.size() - 2)) == profile;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!is_inside || line.starts_with('#') || line.starts_with(';') || equals == std::string_view::npos) continue;
    const std::string_view name = trimmed(line.substr(0, equals));
    const std::string_view value = trimmed(line.substr(equals + 1));
    if (name == "aws_access_key_id") found.key_id = value;
    if (name == "aws_secret_access_key") found.secret = value;
    if (name == "aws_session_token") found.session_token = value;
  }
  if (found.key_id.empty() || found.secret.empty()) return std::nullopt;
  return found;
}

std::optional<ExpiringCredentials> container_credentials(std::string_view json) {
  boost::json::error_code error;
  const boost::json::value answer = boost::json::parse({json.data(), json.size()}, error);
  const boost::json::object* const object = error ? nullptr : answer.if_object();
  if (object == nullptr) return std::nullopt;
  Credentials found{.key_id = text_member(*object, "AccessKeyId"),
                    .secret = text_member(*object, "SecretAccessKey"),
                    .session_token = text_member(*object, "Token")};
  if (found.key_id.empty() || found.secret.empty()) return std::nullopt;
  return ExpiringCredentials{std::move(found), parse_time(text_member(*object, "Expiration"))};
}

std::expected<std::optional<std::string>, Error> container_address(const Environment& environment) {
  if (const auto relative = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) {
    if (!relative->starts_with('/')) {
      return std::unexpected(Error{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash"});
    }
    return "http://169.254.170.2" + *relative;
  }
  const auto full = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (!full) return std::nullopt;
  constexpr std::array<std::string_view, 6> kNear{"localhost",     "127.0.0.1",      "[::1]",
                                                  "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
  const bool is_near = full->starts_with("http://") && std::ranges::find(kNear, host_of(*full)) != kNear.end();
  if (full->starts_with("https://") || is_near) return *full;
  return std::unexpected(
      Error{"AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor http to this machine or one of AWS's addresses"});
}

std::optional<Credentials> CredentialSource::from_environment() const {
  const auto key_id = environment_("AWS_ACCESS_KEY_ID");
  const auto secret = environment_("AWS_SECRET_ACCESS_KEY");
  if (!key_id || !secret) return std::nullopt;
  return Credentials{*key_id, *secret, environment_("AWS_SESSION_TOKEN").value_or("")};
}

std::optional<Credentials> CredentialSource::from_file() const {
  std::optional<std::string> path = environment_("AWS_SHARED_CREDENTIALS_FILE");
  if (!path) {
    const auto home = environment_("HOME");
    if (!home) return std::nullopt;
    path = *home + "/.aws/credentials";
  }
  const auto text = read_file(*path);
  if (!text) return std::nullopt;
  return profile_credentials(*text, environment_("AWS_PROFILE").value_or("default"));
}

Task<std::expected<Credentials, Error>> CredentialSource::get(SteadyTime deadline) {
  while (looking_.is_taken()) {
    co_await looking_.until_left();
    if (failure_) co_return std::unexpected(*failure_);
  }
  if (held_ && steady_clock::now() < look_again_) co_return held_->credentials;

  looking_.enter();
  auto found = co_await find(deadline);
  const auto now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
  failure_.reset();
  if (found) {
    look_again_ = steady_clock::now() + (found->expires ? time_to_refresh(*found->expires - now) : kFileRead);
    held_ = *std::move(found);
  } else if (held_ && held_->expires && *held_->expires > now) {
    look_again_ = steady_clock::now() + kRefreshAgain;
  } else {
    held_.reset();
    failure_ = std::move(found.error());
  }
  looking_.leave();
  if (failure_) co_return std::unexpected(*failure_);
  co_return held_->credentials;
}

Task<std::expected<ExpiringCredentials, Error>> CredentialSource::find(SteadyTime deadline) {
  if (auto pair = from_environment()) co_return ExpiringCredentials{*std::move(pair), {}};
  if (auto pair = from_file()) co_return ExpiringCredentials{*std::move(pair), {}};
  auto container = container_address(environment_);
  if (!container) co_return std::unexpected(std::move(container.error()));
  if (*container) {
    auto answer = co_await ask_container(**std::move(container), deadline);
    co_return answer;
  }
  if (is_local_) co_return ExpiringCredentials{{std::string(kLocalKey), std::string(kLocalKey), {}}, {}};
  co_return std::unexpected(
      Error{"no AWS credentials are found in the environment, a profile or a container's endpoint"});
}

Task<std::expected<ExpiringCredentials, Error>> CredentialSource::ask_container(std::string url, SteadyTime deadline) {
  std::string reason;
  for (int attempt = 0; attempt < kContainerAttempts; ++attempt) {
    HttpRequest request{.url = url, .deadline = std::min(deadline, steady_clock::now() + kContainerTime)};
    auto token = environment_("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (const auto file = environment_("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) token = read_file(*file);
    if (token) {
      while (token->ends_with('\n') || token->ends_with('\r')) token->pop_back();
      request.headers.push_back("Authorization: " + *token);
    }
    const HttpAnswer answer = co_await loop_.fetch(std::move(request));
    if (answer.failure) {
      reason = *answer.failure;
    } else if (auto found = answer.status == 200 ? container_credentials(answer.body) : std::nullopt) {
      co_return *std::move(found);
    } else {
      reason = "it answers " + std::to_string(answer.status) + " without a key pair";
    }
  }
  co_return std::unexpected(Error{"the container's endpoint gives no credentials: " + reason});
}

}  // namespace rillgate::reports::dynamodb
