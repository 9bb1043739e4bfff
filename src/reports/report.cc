#include "reports/report.h"

#include <fmt/format.h>

#include "base/text.h"

namespace rillgate::reports {
namespace {

// Ids, names and times are ASCII without quotes or backslashes, so nothing here needs escaping.

template <class Element>
std::string list_json(const std::vector<Element>& elements, std::string (*element_json)(const Element&)) {
  std::string out = "[";
  for (const Element& element : elements) {
    if (out.size() > 1) out += ',';
    out += element_json(element);
  }
  return out + ']';
}

std::string entry_json(const HistoryEntry& entry) {
  const std::string from = entry.from ? fmt::format(R"("{}")", name(*entry.from)) : "null";
  return fmt::format(R"({{"version":{},"from":{},"to":"{}","at":"{}"}})", value(entry.version), from, name(entry.to),
                     time_text(entry.at));
}

bool is_creation(const ReportEvent& event) {
  return event.version == Version{1};
}

}  // namespace

Time wall_clock_now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

std::string_view event_type(const ReportEvent& event) {
  return is_creation(event) ? "report_created" : "report_status_update";
}

std::string event_json(const UserId& user, const ReportEvent& event) {
  if (is_creation(event)) {
    return report_json({user, event.report, event.status, event.version, event.at, event.at});
  }
  return fmt::format(R"({{"id":"{}","status":"{}","version":{},"updatedAt":"{}"}})", event.report.text(),
                     name(event.status), value(event.version), time_text(event.at));
}

std::string report_json(const Report& report) {
  return fmt::format(
      R"({{"userId":"{}","reportId":"{}","reportStatus":"{}","version":{},"createdAt":"{}","updatedAt":"{}"}})",
      report.user.text(), report.id.text(), name(report.status), value(report.version), time_text(report.created_at),
      time_text(report.updated_at));
}

std::string reports_json(const std::vector<Report>& reports) {
  return list_json(reports, report_json);
}

std::string history_json(const std::vector<HistoryEntry>& history) {
  return list_json(history, entry_json);
}

std::string time_text(Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::optional<Time> parse_time(std::string_view text) {
  constexpr std::string_view kForm = "YYYY-MM-DDThh:mm:ss.mmmZ";
  if (text.size() != kForm.size()) return std::nullopt;
  const auto number = [text](std::size_t begin, std::size_t size) {
    return static_cast<std::uint32_t>(parse_decimal(text.substr(begin, size)).value_or(0));
  };
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(number(0, 4))),
                                         std::chrono::month(number(5, 2)), std::chrono::day(number(8, 2))};
  if (!date.ok()) return std::nullopt;
  const Time time = std::chrono::sys_days(date) + std::chrono::hours(number(11, 2)) +
                    std::chrono::minutes(number(14, 2)) + std::chrono::seconds(number(17, 2)) +
                    std::chrono::milliseconds(number(20, 3));
  // Whatever else is wrong with it, it comes out otherwise.
  return time_text(time) == text ? std::optional(time) : std::nullopt;
}

}  // namespace rillgate::reports
