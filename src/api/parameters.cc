#include "api/parameters.h"

#include <fmt/format.h>

#include "base/names.h"
#include "base/text.h"

namespace rillgate::api {
namespace {

constexpr std::string_view kEarliest = "earliest";
/// Longer than any id that a node gives out.
constexpr std::size_t kIdBytesMax = 1024;

}  // namespace

std::expected<std::optional<std::string_view>, Error> single_field(const http::Request& request,
                                                                   std::string_view name) {
  std::optional<std::string_view> found;
  for (const http::Field& field : request.fields) {
    if (!equals_ignoring_case(field.name, name)) continue;
    if (found) return std::unexpected(Error{fmt::format("the field {} is given more than once", name)});
    found = field.value;
  }
  return found;
}

std::expected<std::string, Error> stream_user(const http::Request& request) {
  const auto query = http::Query::parse(request.query);
  if (!query) return std::unexpected(query.error());
  const auto user = query->required("username", "NAME");
  if (!user) return std::unexpected(user.error());
  if (auto error = check_user(*user)) return std::unexpected(*std::move(error));
  if (*user == kEveryone) {
    return std::unexpected(Error{"the username '*' stands for everyone and has no stream; name one user"});
  }
  return std::string(*user);
}

std::expected<std::optional<std::string>, Error> last_event_id(const http::Request& request) {
  std::optional<std::string> id;
  const auto header = single_field(request, "Last-Event-ID");
  if (!header) return std::unexpected(header.error());
  if (*header && !(*header)->empty()) {
    id = **header;
  } else {
    const auto query = http::Query::parse(request.query);
    if (!query) return std::unexpected(query.error());
    const auto parameter = query->optional("last_event_id");
    if (!parameter) return std::unexpected(parameter.error());
    if (*parameter && !(*parameter)->empty()) id = **parameter;
  }
  if (id && id->size() > kIdBytesMax) {
    return std::unexpected(
        Error{fmt::format("the last event id has {} bytes; send one that this server gave out, which "
                          "has at most {}",
                          id->size(), kIdBytesMax)});
  }
  return id;
}

hub::Resume resume_from(const std::optional<std::string>& id) {
  if (!id) return {};
  if (*id == kEarliest) return {.from = hub::Resume::From::kEarliest};
  return {.from = hub::Resume::From::kId, .id = *id};
}

}  // namespace rillgate::api
