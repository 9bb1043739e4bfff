#include "reports/dynamodb/impl/layout.h"

#include <fmt/format.h>

#include <iterator>

#include "base/text.h"

namespace rillgate::reports::dynamodb {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

/// The version of the layout. A program that finds another one leaves the tables alone.
constexpr std::uint64_t kLayout = 1;

std::string numbered_key(std::string_view partition, std::uint64_t sequence) {
  return Attributes().text("user", partition).number("sequence", sequence).object();
}

/// An idempotency key is bytes, an attribute that is a key in a table is text.
std::string key_partition(const UserId& user, const IdempotencyKey& key) {
  std::string partition = user.text() + "/key/";
  for (const char c : key.text()) {
    const auto byte = static_cast<unsigned char>(c);
    partition += kHexDigits[byte >> 4];
    partition += kHexDigits[byte & 15];
  }
  return partition;
}

/// With the offset, so that one partition's records do not all meet in one place of the table.
std::string source_partition(const Source& source) {
  return fmt::format("source/{}/{}/{}", source.topic, source.partition, source.offset);
}

/// TTL counts in seconds; what is forgotten late does no harm, since reading looks at the milliseconds.
std::uint64_t expiry(Time at, std::chrono::milliseconds kept) {
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>((at + kept).time_since_epoch()).count());
}

constexpr std::string_view kStorePartition = "store";

}  // namespace

void Attributes::begin(std::string_view name) {
  json_.append(json_.empty() ? "\"" : ",\"").append(name);
}

Attributes& Attributes::text(std::string_view name, std::string_view value) {
  begin(name);
  json_ += R"(":{"S":)";
  append_json_string(json_, value);
  json_ += '}';
  return *this;
}

Attributes& Attributes::number(std::string_view name, std::uint64_t value) {
  begin(name);
  fmt::format_to(std::back_inserter(json_), R"(":{{"N":"{}"}})", value);
  return *this;
}

std::string report_key(const UserId& user, const ReportId& report) {
  return Attributes().text("user", user.text()).text("report", report.text()).object();
}

std::string event_key(const UserId& user, EventSeq seq) {
  return numbered_key(user.text(), value(seq));
}

std::string tip_key(const UserId& user) {
  return numbered_key(user.text(), 0);
}

std::string idempotency_key(const UserId& user, const IdempotencyKey& key) {
  return numbered_key(key_partition(user, key), 0);
}

std::string source_key(const Source& source) {
  return numbered_key(source_partition(source), 0);
}

std::string store_key() {
  return numbered_key(kStorePartition, 0);
}

std::string history_partition(const UserId& user, const ReportId& report) {
  return user.text() + "/history/" + report.text();
}

std::string report_item(const Report& report) {
  return Attributes()
      .text("user", report.user.text())
      .text("report", report.id.text())
      .text("status", name(report.status))
      .number("version", value(report.version))
      .time("created_at", report.created_at)
      .time("updated_at", report.updated_at)
      .object();
}

std::string tip_item(const UserId& user, const Tip& tip) {
  return Attributes()
      .text("user", user.text())
      .number("sequence", 0)
      .number("newest", value(tip.newest))
      .time("at", tip.at)
      .object();
}

std::string event_item(const UserId& user, const ReportEvent& event, std::chrono::milliseconds keep,
                       std::string_view turn) {
  Attributes item;
  item.text("user", user.text())
      .number("sequence", value(event.seq))
      .text("report", event.report.text())
      .number("version", value(event.version))
      .text("status", name(event.status))
      .time("at", event.at);
  if (keep != std::chrono::milliseconds::zero()) item.number("expires", expiry(event.at, keep));
  if (!turn.empty()) item.text("turn", turn);
  return item.object();
}

std::string history_item(const UserId& user, const ReportEvent& event) {
  return Attributes()
      .text("user", history_partition(user, event.report))
      .number("sequence", value(event.version))
      .text("status", name(event.status))
      .time("at", event.at)
      .object();
}

std::string key_item(const UserId& user, const IdempotencyKey& key, const KeyMade& made) {
  return Attributes()
      .text("user", key_partition(user, key))
      .number("sequence", 0)
      .text("report", made.report.text())
      .time("at", made.at)
      .number("expires", expiry(made.at, kIdempotencyKept))
      .object();
}

std::string source_item(const Source& source) {
  return source_key(source);
}

std::string store_item(const StoreId& id) {
  return Attributes()
      .text("user", kStorePartition)
      .number("sequence", 0)
      .text("id", id.text())
      .number("layout", kLayout)
      .object();
}

std::optional<std::string_view> Item::value(std::string_view name, std::string_view type) const {
  const boost::json::value* const attribute = attributes_.if_contains({name.data(), name.size()});
  const boost::json::object* const typed = attribute == nullptr ? nullptr : attribute->if_object();
  const boost::json::value* const found = typed == nullptr ? nullptr : typed->if_contains({type.data(), type.size()});
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return std::string_view(found->get_string().data(), found->get_string().size());
}

std::optional<std::uint64_t> Item::number(std::string_view name) const {
  const auto digits = value(name, "N");
  return digits ? parse_decimal(*digits) : std::nullopt;
}

std::optional<Time> Item::time(std::string_view name) const {
  const auto ms = number(name);
  if (!ms) return std::nullopt;
  return Time(std::chrono::milliseconds(static_cast<std::int64_t>(*ms)));
}

namespace {

std::optional<Status> status_of(const Item& item) {
  const auto text = item.text("status");
  const auto status = text ? parse_status(*text) : std::unexpected(Error{});
  return status ? std::optional(*status) : std::nullopt;
}

std::optional<ReportId> report_id_of(const Item& item) {
  const auto text = item.text("report");
  const auto id = text ? ReportId::parse(*text) : std::unexpected(Error{});
  return id ? std::optional(*id) : std::nullopt;
}

}  // namespace

std::optional<Report> Item::report(const UserId& user) const {
  const auto id = report_id_of(*this);
  const auto status = status_of(*this);
  const auto version = number("version");
  const auto created = time("created_at");
  const auto updated = time("updated_at");
  if (!id || !status || !version || !created || !updated) return std::nullopt;
  return Report{user, *id, *status, Version{*version}, *created, *updated};
}

std::optional<Tip> Item::tip() const {
  const auto newest = number("newest");
  const auto at = time("at");
  if (!newest || !at) return std::nullopt;
  return Tip{EventSeq{*newest}, *at};
}

std::optional<ReportEvent> Item::event() const {
  const auto seq = number("sequence");
  const auto id = report_id_of(*this);
  const auto version = number("version");
  const auto status = status_of(*this);
  const auto at = time("at");
  if (!seq || !id || !version || !status || !at) return std::nullopt;
  return ReportEvent{EventSeq{*seq}, *id, Version{*version}, *status, *at};
}

std::optional<HistoryEntry> Item::history(std::optional<Status> from) const {
  const auto version = number("sequence");
  const auto status = status_of(*this);
  const auto at = time("at");
  if (!version || !status || !at) return std::nullopt;
  return HistoryEntry{Version{*version}, from, *status, *at};
}

std::optional<KeyMade> Item::key_made() const {
  const auto id = report_id_of(*this);
  const auto at = time("at");
  if (!id || !at) return std::nullopt;
  return KeyMade{*id, *at};
}

std::optional<StoreId> Item::store() const {
  const auto text = this->text("id");
  auto id = text && number("layout") == kLayout ? StoreId::parse(*text) : std::unexpected(Error{});
  return id ? std::optional(*std::move(id)) : std::nullopt;
}

}  // namespace rillgate::reports::dynamodb
