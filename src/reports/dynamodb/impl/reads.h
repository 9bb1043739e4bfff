// What is read from the tables, always with consistent reads: they see every change that was reported as made.
#pragma once

#include <boost/json.hpp>
#include <chrono>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reports/dynamodb/impl/client.h"
#include "reports/dynamodb/impl/layout.h"
#include "reports/dynamodb/impl/opening.h"
#include "reports/report_store.h"

namespace rillgate::reports::dynamodb {

template <class Result>
using Outcome = std::expected<Result, ReportError>;
template <class Result>
using Called = std::expected<Result, CallError>;

/// Items by the text of their keys (layout.h).
using Items = std::map<std::string, boost::json::object>;

struct Keys {
  std::set<std::string> reports;
  std::set<std::string> events;
};

class Reads {
 public:
  /// From the request to its answer: several calls, each with its attempts.
  static constexpr std::chrono::milliseconds kAnswerTime{8'000};

  struct Context {
    Client& client;
    Opening& opening;
    const Tables& tables;
    const WallClock& clock;
    std::chrono::milliseconds keep;
  };
  explicit Reads(const Context& context) : context_(context) {}

  [[nodiscard]] Task<Outcome<Report>> get(UserId user, ReportId report);
  [[nodiscard]] Task<Outcome<ReportPage>> list(ListRequest request);
  [[nodiscard]] Task<Outcome<std::vector<HistoryEntry>>> history(UserId user, ReportId report);
  [[nodiscard]] Task<Outcome<EventPage>> events_after(EventsRequest request);
  [[nodiscard]] Task<Outcome<EventSeq>> newest_seq(UserId user);

  /// Those that there are, 100 keys at the most.
  [[nodiscard]] Task<Called<Items>> items(Keys keys, SteadyTime deadline);

  /// The error of a call; the store is opened anew if it was out of reach.
  [[nodiscard]] ReportError failed(const CallError& error);

 private:
  using Object = boost::json::object;
  struct Query {
    std::string table;
    std::string partition;
    std::string condition;  // on the sort key: `#s > :s`
    std::string sort;       // its name
    std::string bound;      // its value, typed
    bool is_forward = true;
    std::size_t limit = 0;  // 0: all there are
  };

  [[nodiscard]] Task<Called<std::optional<Object>>> item(std::string table, std::string key, SteadyTime deadline);
  [[nodiscard]] Task<Called<std::vector<Object>>> query(Query query, SteadyTime deadline);
  [[nodiscard]] Task<Called<Tip>> tip(UserId user, SteadyTime deadline);
  [[nodiscard]] Task<Called<std::vector<ReportEvent>>> events_from(UserId user, EventSeq first, std::size_t limit,
                                                                   SteadyTime deadline);
  /// The page when it does not begin with the events that it should begin with.
  [[nodiscard]] Task<Called<EventPage>> page_after_a_hole(EventsRequest request, SteadyTime deadline);
  [[nodiscard]] Task<Called<EventSeq>> first_kept(UserId user, EventSeq begin, EventSeq newest, SteadyTime deadline);
  [[nodiscard]] bool is_kept(Time at) const;

  const Context context_;
};

}  // namespace rillgate::reports::dynamodb
