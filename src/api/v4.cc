#include "api/v4.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "api/messages.h"
#include "api/open_stream.h"
#include "api/parameters.h"
#include "base/names.h"
#include "base/text.h"

namespace rillgate::api {
namespace {

using reports::ReportError;
using reports::ReportId;
using reports::UserId;

/// What the caller must mend, and the status that says so.
struct Mistake {
  int status = 400;
  std::string detail;
};
template <class T>
using Checked = std::expected<T, Mistake>;

std::unexpected<Mistake> mistake(const Error& error) {
  return std::unexpected(Mistake{.detail = error.what});
}

template <class Id>
Checked<Id> id_parameter(const http::Query& query, std::string_view name) {
  const auto text = query.required(name, "UUID");
  if (!text) return mistake(text.error());
  const auto id = Id::parse(*text);
  if (!id) return mistake({fmt::format("the parameter '{}': {}", name, id.error().what)});
  return *id;
}

Checked<http::Query> query_of(const http::Request& request) {
  auto query = http::Query::parse(request.query);
  if (!query) return mistake(query.error());
  return *std::move(query);
}

Checked<UserId> user_of(const http::Request& request) {
  const auto query = query_of(request);
  if (!query) return std::unexpected(query.error());
  return id_parameter<UserId>(*query, "user_id");
}

struct UsersReport {
  UserId user;
  ReportId report;
};

Checked<UsersReport> report_of(const http::Request& request) {
  const auto query = query_of(request);
  if (!query) return std::unexpected(query.error());
  const auto user = id_parameter<UserId>(*query, "user_id");
  if (!user) return std::unexpected(user.error());
  const auto report = id_parameter<ReportId>(*query, "report_id");
  if (!report) return std::unexpected(report.error());
  return UsersReport{*user, *report};
}

http::Response answer(const Mistake& mistake) {
  return http::problem(mistake.status, mistake.detail);
}

http::Response answer(const ReportError& error) {
  const std::string detail = reports::describe(error);
  if (const auto* const refused = std::get_if<reports::NotAllowed>(&error)) {
    return http::problem(409, detail,
                         fmt::format(R"("from":"{}","to":"{}","allowed":{})", name(refused->from), name(refused->to),
                                     reports::status_list_json(reports::allowed_from(refused->from))));
  }
  if (std::holds_alternative<reports::NotFound>(error)) return http::problem(404, detail);
  if (std::holds_alternative<reports::VersionMismatch>(error)) return http::problem(412, detail);
  http::Response response = http::problem(503, detail);
  response.field("Retry-After", "5");
  return response;
}

http::Response json(int status, std::string body) {
  body += '\n';
  http::Response response{.status = status, .content_type = http::kJson, .body = std::move(body)};
  response.field("Cache-Control", "no-store");
  return response;
}

/// A report with its version as entity tag, which If-Match takes.
http::Response tagged(int status, const reports::Report& report) {
  http::Response response = json(status, reports::report_json(report));
  response.field("ETag", fmt::format("\"{}\"", value(report.version)));
  return response;
}

/// A callback for the store that counts its time and health, and answers the exchange with what `render` makes of the
/// result.
template <class Result, class Render>
reports::Done<Result> answering(Services& services, http::Exchange& exchange, Render render) {
  return [&services, responder = exchange.later(), render = std::move(render),
          begun = std::chrono::steady_clock::now()](std::expected<Result, ReportError> result) mutable {
    services.store_seconds.record(std::chrono::steady_clock::now() - begun);
    const auto* const failure = result ? nullptr : std::get_if<reports::Unavailable>(&result.error());
    if (failure != nullptr && !failure->busy) services.note_store(failure);  // that it is back, a probe finds out
    responder.respond(result ? render(*result) : answer(result.error()));
  };
}

Checked<reports::ListRequest> list_request(const http::Request& request) {
  const auto query = query_of(request);
  if (!query) return std::unexpected(query.error());
  const auto user = id_parameter<UserId>(*query, "user_id");
  if (!user) return std::unexpected(user.error());
  reports::ListRequest list{.user = *user};
  const auto limit = query->optional("limit");
  if (!limit) return mistake(limit.error());
  if (*limit) {
    const auto number = parse_decimal(**limit);
    if (!number || *number < 1 || *number > reports::ListRequest::kLimitMax) {
      return mistake({fmt::format("the parameter 'limit' is {}; it is a number from 1 to {}", json_string(**limit),
                                  reports::ListRequest::kLimitMax)});
    }
    list.limit = *number;
  }
  const auto cursor = query->optional("cursor");
  if (!cursor) return mistake(cursor.error());
  if (*cursor) {
    const auto after = ReportId::parse(**cursor);
    if (!after)
      return mistake({fmt::format("the parameter 'cursor' is {}; take it from the Link of the page before",
                                  json_string(**cursor))});
    list.after = *after;
  }
  return list;
}

/// Bodies in JSON; curl's default type passes, since people type curl.
bool may_be_json(const http::Request& request) {
  const auto type = request.field("Content-Type");
  if (!type) return true;
  const std::string_view essence = trimmed(type->substr(0, type->find(';')));
  return equals_ignoring_case(essence, "application/json") ||
         equals_ignoring_case(essence, "application/x-www-form-urlencoded");
}

Checked<reports::ChangeRequest> change_request(const http::Request& request) {
  const auto user = user_of(request);
  if (!user) return std::unexpected(user.error());
  if (!may_be_json(request)) {
    return std::unexpected(
        Mistake{.status = 415, .detail = "this route takes JSON; send Content-Type: application/json"});
  }
  constexpr std::string_view kForm = R"(send {"id":REPORT-ID,"status":STATUS})";
  boost::json::error_code error;
  const boost::json::value body = boost::json::parse({request.body.data(), request.body.size()}, error);
  if (error) return mistake({fmt::format("the body is not JSON ({}); {}", error.message(), kForm)});
  const auto text = [&](const char* name) -> std::optional<std::string_view> {
    const boost::json::object* const object = body.if_object();
    const boost::json::value* const member = object == nullptr ? nullptr : object->if_contains(name);
    if (member == nullptr || !member->is_string()) return std::nullopt;
    return std::string_view(member->get_string().data(), member->get_string().size());
  };
  const auto id = text("id");
  const auto status = text("status");
  if (!id || !status)
    return mistake({fmt::format("the member '{}' is missing or no string; {}", id ? "status" : "id", kForm)});
  const auto report = ReportId::parse(*id);
  if (!report) return mistake({fmt::format("the member 'id': {}", report.error().what)});
  const auto to = reports::parse_status(*status);
  if (!to) return std::unexpected(Mistake{.status = 422, .detail = to.error().what});
  reports::ChangeRequest change{.user = *user, .report = *report, .to = *to};
  const auto if_match = single_field(request, "If-Match");
  if (!if_match) return mistake(if_match.error());
  if (*if_match) {
    const auto version = reports::parse_version(**if_match);
    if (!version) return mistake({fmt::format("the field If-Match: {}", version.error().what)});
    change.if_version = *version;
  }
  return change;
}

std::string report_path(const UserId& user, const ReportId& report) {
  return fmt::format("/v4/report?user_id={}&report_id={}", user.text(), report.text());
}

}  // namespace

void report_stream(Services& services, http::Exchange& exchange) {
  const auto user = user_of(exchange.request());
  if (!user) return exchange.respond(answer(user.error()));
  auto asked = last_event_id(exchange.request());
  if (!asked) return exchange.respond(http::problem(400, asked.error().what));
  if (answered_without_stream(services, exchange)) return;
  reports::ReportStore& store = *services.store;

  auto open = [&services, &store, user = *user, asked = *asked,
               responder = exchange.later()](std::expected<reports::EventPage, ReportError> page) mutable {
    responder.then([&services, &store, user, asked = std::move(asked), page = std::move(page)](http::Exchange& later) {
      if (!page) return refuse_stream(services, later, reports::describe(page.error()));
      if (answered_without_stream(services, later)) return;  // the drain may have begun meanwhile
      StreamOwner& owner = services.owner_on(later.reactor());
      auto stream = std::make_unique<ReportStream>(
          services.v4.hub, owner,
          ReportStream::Options{
              .keep_alive = services.keep_alive, .store = store, .watchers = services.report_watch->on(owner)},
          user, report_start(user, *store.id(), asked, *page, jittered(services.settings.stream.retry)));
      open_stream(services, later, std::move(stream),
                  [&](EventStream& each) { return services.v4.hub.attach_bare(each, user.text()); });
    });
  };
  read_start(store, *user, *asked, std::move(open));
}

void create_report(Services& services, http::Exchange& exchange) {
  if (answered_while_draining(services, exchange)) return;
  const auto user = user_of(exchange.request());
  if (!user) return exchange.respond(answer(user.error()));
  std::optional<reports::IdempotencyKey> key;
  const auto field = single_field(exchange.request(), "Idempotency-Key");
  if (!field) return exchange.respond(http::problem(400, field.error().what));
  if (*field) {
    auto parsed = reports::IdempotencyKey::parse(**field);
    if (!parsed) return exchange.respond(http::problem(400, parsed.error().what));
    key = *std::move(parsed);
  }
  services.reports->create(*user, std::move(key),
                           answering<reports::Change>(services, exchange, [](const auto& change) {
                             const bool is_new = change.event.has_value();
                             http::Response response = tagged(is_new ? 201 : 200, change.report);
                             response.field("Location", report_path(change.report.user, change.report.id));
                             return response;
                           }));
}

void list_reports(Services& services, http::Exchange& exchange) {
  const auto request = list_request(exchange.request());
  if (!request) return exchange.respond(answer(request.error()));
  services.store->list(
      *request, answering<reports::ReportPage>(
                    services, exchange, [request = *request, &store = *services.store](const auto& page) {
                      http::Response response = json(200, reports::reports_json(page.reports));
                      response.field("Last-Event-ID", reports::Position{*store.id(), page.position}.text());
                      if (page.next) {
                        response.field("Link", fmt::format("</v4/reports?user_id={}&limit={}&cursor={}>; rel=\"next\"",
                                                           request.user.text(), request.limit, page.next->text()));
                      }
                      return response;
                    }));
}

void get_report(Services& services, http::Exchange& exchange) {
  const auto wanted = report_of(exchange.request());
  if (!wanted) return exchange.respond(answer(wanted.error()));
  services.store->get(
      wanted->user, wanted->report,
      answering<reports::Report>(services, exchange, [](const auto& found) { return tagged(200, found); }));
}

void change_report(Services& services, http::Exchange& exchange) {
  if (answered_while_draining(services, exchange)) return;
  const auto request = change_request(exchange.request());
  if (!request) return exchange.respond(answer(request.error()));
  services.reports->change(*request, answering<reports::Change>(services, exchange, [](const auto& change) {
    return tagged(200, change.report);
  }));
}

void report_history(Services& services, http::Exchange& exchange) {
  const auto wanted = report_of(exchange.request());
  if (!wanted) return exchange.respond(answer(wanted.error()));
  services.store->history(wanted->user, wanted->report,
                          answering<std::vector<reports::HistoryEntry>>(services, exchange, [](const auto& history) {
                            return json(200, reports::history_json(history));
                          }));
}

}  // namespace rillgate::api
