#include "feed/report_news.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace rillgate::feed {
namespace {

kafka::TopicReader::Options reader_options(const ReportNews::Options& options) {
  // The present is enough: what was missed meanwhile is in the store.
  return {.topic = options.topic, .create_topic = !options.creates.empty(), .create_too = options.creates};
}

}  // namespace

std::string notice_json(const ReportNotice& notice) {
  return fmt::format(
      R"({{"type":"{}","userId":"{}","id":"{}","status":"{}","version":{},"updatedAt":"{}","sequence":{},"store":"{}","node":"{}"}})",
      reports::event_type(notice.event), notice.user.text(), notice.event.report.text(),
      reports::name(notice.event.status), reports::value(notice.event.version), reports::time_text(notice.event.at),
      reports::value(notice.event.seq), notice.store, notice.node);
}

std::optional<ReportNotice> parse_notice(std::string_view text) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse({text.data(), text.size()}, error);
  const boost::json::object* const object = error ? nullptr : value.if_object();
  if (object == nullptr) return std::nullopt;
  const auto string = [&](const char* name) -> std::string_view {
    const boost::json::value* const member = object->if_contains(name);
    if (member == nullptr || !member->is_string()) return {};
    return {member->get_string().data(), member->get_string().size()};
  };
  const auto number = [&](const char* name) -> std::uint64_t {
    const boost::json::value* const member = object->if_contains(name);
    return member == nullptr || !member->is_int64() || member->get_int64() < 0
               ? 0
               : static_cast<std::uint64_t>(member->get_int64());
  };
  const auto user = reports::UserId::parse(string("userId"));
  const auto report = reports::ReportId::parse(string("id"));
  const auto status = reports::parse_status(string("status"));
  const auto at = reports::parse_time(string("updatedAt"));
  const std::uint64_t version = number("version");
  const std::uint64_t sequence = number("sequence");
  if (!user || !report || !status || !at || version == 0 || sequence == 0) return std::nullopt;
  return ReportNotice{.user = *user,
                      .event = {.seq = reports::EventSeq{sequence},
                                .report = *report,
                                .version = reports::Version{version},
                                .status = *status,
                                .at = *at},
                      .store = std::string(string("store")),
                      .node = std::string(string("node"))};
}

ReportNews::ReportNews(const kafka::Config& config, Options options, reports::ReportListener& watchers,
                       const reports::ReportStore& store, kafka::Producer& producer)
    : options_(std::move(options)),
      watchers_(watchers),
      store_(store),
      producer_(producer),
      reader_(config, reader_options(options_), *this) {}

void ReportNews::on_event(const reports::UserId& user, const reports::ReportEvent& event) {
  watchers_.on_event(user, event);
  const reports::StoreId* const store = store_.id();
  if (store == nullptr) return;  // never: it has just made the event
  kafka::Message message{
      .topic = options_.topic,
      .key = user.text(),
      .value = notice_json({.user = user, .event = event, .store = store->text(), .node = options_.node})};
  producer_.send(std::move(message), [](const auto&) {});  // one that is lost is found by the re-check
}

void ReportNews::on_record(const kafka::Record& record) {
  const auto notice = record.value ? parse_notice(*record.value) : std::nullopt;
  const reports::StoreId* const store = store_.id();
  if (!notice || notice->node == options_.node || store == nullptr || notice->store != store->text()) return;
  watchers_.on_event(notice->user, notice->event);
}

}  // namespace rillgate::feed
