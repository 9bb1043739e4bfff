#include "reports/dynamodb/impl/client.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace rillgate::reports::dynamodb {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::string url_of(const Client::Options& options) {
  if (!options.endpoint.empty()) return options.endpoint + (options.endpoint.ends_with('/') ? "" : "/");
  const std::string_view domain = options.region.starts_with("cn-") ? ".amazonaws.com.cn/" : ".amazonaws.com/";
  return "https://dynamodb." + options.region + std::string(domain);
}

std::string_view text_member(const boost::json::object& object, std::string_view name) {
  const boost::json::value* const member = object.if_contains({name.data(), name.size()});
  if (member == nullptr || !member->is_string()) return {};
  return {member->get_string().data(), member->get_string().size()};
}

std::string_view message_of(const boost::json::object& object) {
  const std::string_view message = text_member(object, "message");
  return message.empty() ? text_member(object, "Message") : message;
}

/// A fault by the name that DynamoDB gives it: the last part of `__type`, or a reason of a refused transaction.
Fault fault_named(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Fault>, 25> kNames{{
      {"ConditionalCheckFailedException", Fault::kConflict},
      {"ConditionalCheckFailed", Fault::kConflict},
      {"TransactionConflictException", Fault::kConflict},
      {"TransactionConflict", Fault::kConflict},
      {"DuplicateItem", Fault::kConflict},
      {"TransactionInProgressException", Fault::kService},
      {"ProvisionedThroughputExceededException", Fault::kThrottled},
      {"ProvisionedThroughputExceeded", Fault::kThrottled},
      {"ThrottlingException", Fault::kThrottled},
      {"ThrottlingError", Fault::kThrottled},
      {"Throttling", Fault::kThrottled},
      {"RequestLimitExceeded", Fault::kThrottled},
      {"LimitExceededException", Fault::kThrottled},
      {"InternalServerError", Fault::kService},
      {"InternalServerErrorException", Fault::kService},
      {"InternalFailure", Fault::kService},
      {"ServiceUnavailable", Fault::kService},
      {"ServiceUnavailableException", Fault::kService},
      {"ResourceNotFoundException", Fault::kNoTable},
      {"UnrecognizedClientException", Fault::kCredentials},
      {"InvalidSignatureException", Fault::kCredentials},
      {"MissingAuthenticationTokenException", Fault::kCredentials},
      {"IncompleteSignatureException", Fault::kCredentials},
      {"AccessDeniedException", Fault::kCredentials},
      {"ExpiredTokenException", Fault::kExpired},
  }};
  const auto* const found = std::ranges::find(kNames, name, &std::pair<std::string_view, Fault>::first);
  return found == kNames.end() ? Fault::kRejected : found->second;
}

/// A transaction is refused with a reason for each of its items. That it is too much for one of them says less than
/// that a condition of another is not met.
Fault fault_of_transaction(const boost::json::object& body) {
  const boost::json::value* const reasons = body.if_contains("CancellationReasons");
  const boost::json::array* const list = reasons == nullptr ? nullptr : reasons->if_array();
  if (list == nullptr) return Fault::kConflict;
  Fault fault = Fault::kRejected;
  for (const boost::json::value& reason : *list) {
    const boost::json::object* const object = reason.if_object();
    const std::string_view code = object == nullptr ? std::string_view{} : text_member(*object, "Code");
    if (code.empty() || code == "None") continue;
    const Fault one = fault_named(code);
    if (one == Fault::kConflict) return one;
    if (one != Fault::kRejected) fault = one;
  }
  return fault;
}

bool passes_by_itself(Fault fault) {
  return fault == Fault::kUnreachable || fault == Fault::kService || fault == Fault::kThrottled ||
         fault == Fault::kExpired;
}

}  // namespace

CallError error_of(long status, std::string_view body) {
  boost::json::error_code error;
  const boost::json::value answer = boost::json::parse({body.data(), body.size()}, error);
  const boost::json::object* const object = error ? nullptr : answer.if_object();
  std::string_view type = object == nullptr ? std::string_view{} : text_member(*object, "__type");
  type = type.substr(type.find_last_of('#') + 1);  // npos + 1 is 0
  CallError found{.fault = fault_named(type), .what = std::string(type)};
  if (type == "TransactionCanceledException") found.fault = fault_of_transaction(*object);
  if (status >= 500 && found.fault != Fault::kThrottled) found.fault = Fault::kService;
  if (type.empty()) found.what = "answer " + std::to_string(status) + " that is not DynamoDB's";
  if (object != nullptr && !message_of(*object).empty()) found.what += ": " + std::string(message_of(*object));
  return found;
}

Unavailable unavailable(const CallError& error) {
  // For one line of a log and a member of JSON.
  constexpr std::size_t kWordsMax = 300;
  std::string words = error.what.substr(0, kWordsMax);
  std::ranges::replace_if(words, [](char c) { return has_control_characters({&c, 1}); }, ' ');
  switch (error.fault) {
    case Fault::kUnreachable:
      return {"DynamoDB cannot be reached (" + words + "); dynamodb.endpoint says where it is", true};
    case Fault::kService:
      return {"DynamoDB has a fault (" + words + ")", true};
    case Fault::kThrottled:
      return {"DynamoDB throttles it", true};
    case Fault::kConflict:
      return {"too many change the same reports at once", true};
    case Fault::kNoTable:
      return {"its tables are missing; dynamodb_local_init.sh makes them", false};
    case Fault::kCredentials:
    case Fault::kExpired:
      return {"DynamoDB does not let it in (" + words + ")", false};
    case Fault::kRejected:
      return {"DynamoDB refuses its request (" + words + ")", false};
  }
  std::unreachable();
}

milliseconds pause_before(int attempt, std::minstd_rand& random) {
  const milliseconds most = std::min(Client::kPauseFirst * (1 << std::min(attempt - 2, 10)), Client::kPauseMax);
  return milliseconds(std::uniform_int_distribution<std::int64_t>(most.count() / 2, most.count())(random));
}

Client::Client(Loop& loop, const Options& options)
    : loop_(loop),
      url_(url_of(options)),
      region_(options.region),
      credentials_(loop, options.environment, !options.endpoint.empty()) {}

void Client::end_after(milliseconds silence) {
  silence_ = silence;
  end_ = steady_clock::now() + silence;
}

Task<bool> Client::pause(int attempt, SteadyTime deadline) {
  const SteadyTime time = steady_clock::now() + pause_before(attempt, random_);
  if (time >= clipped(deadline)) co_return false;
  co_await loop_.pause_until(time);
  co_return true;
}

Task<Client::Answer> Client::call(std::string_view operation, std::string parameters, SteadyTime deadline) {
  for (int number = 1;; ++number) {
    Answer answer = co_await attempt(operation, parameters, clipped(deadline));
    if (answer && silence_) end_after(*silence_);
    if (answer) co_return answer;
    if (!passes_by_itself(answer.error().fault) || number == kAttemptsMax) co_return answer;
    const bool may_go_on = co_await pause(number + 1, deadline);
    if (!may_go_on) co_return answer;
  }
}

Task<Client::Answer> Client::attempt(std::string_view operation, const std::string& parameters, SteadyTime deadline) {
  auto credentials = co_await credentials_.get(deadline);
  if (!credentials) co_return std::unexpected(CallError{Fault::kCredentials, std::move(credentials.error().what)});

  HttpRequest request{.url = url_, .body = parameters, .deadline = deadline};
  request.headers.emplace_back("Content-Type: application/x-amz-json-1.0");
  request.headers.push_back("X-Amz-Target: DynamoDB_20120810." + std::string(operation));
  if (!credentials->session_token.empty()) {
    request.headers.push_back("X-Amz-Security-Token: " + credentials->session_token);
  }
  request.signing = Signing{region_, std::move(credentials->key_id), std::move(credentials->secret)};
  const HttpAnswer answer = co_await loop_.fetch(std::move(request));

  if (answer.failure) co_return std::unexpected(CallError{Fault::kUnreachable, *answer.failure});
  if (answer.status != 200) {
    CallError error = error_of(answer.status, answer.body);
    if (error.fault == Fault::kExpired) credentials_.reject();
    co_return std::unexpected(std::move(error));
  }
  boost::json::error_code error;
  boost::json::value body = boost::json::parse(answer.body, error);
  if (error || !body.is_object()) {
    co_return std::unexpected(CallError{Fault::kService, "an answer 200 that is not JSON"});
  }
  co_return std::move(body.get_object());
}

}  // namespace rillgate::reports::dynamodb
