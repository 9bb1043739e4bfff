// Reports in Amazon DynamoDB, for any number of nodes at once.
//
// All work is done on one thread of the store's own, by asynchronous HTTP: a slow table delays nobody but those who ask
// for its items. A change is one transaction, under the condition that nothing of what it was decided from has changed
// since; so nodes need not know of each other. Of one user, up to 24 requests that wait go into one transaction, and
// nothing else of that user is under way meanwhile. What passes by itself is tried again for some seconds; after that,
// and when a table is missing or the credentials are refused, requests end as Unavailable, and the next ones try anew.
//
// The tables `reports` and `report_events`, made by dynamodb_local_init.sh, with these items:
//
//   table          user                           report / sequence   what
//   reports        U                              R                   the report as it is now
//   report_events  U                              0                   the tip: number and time of U's newest event
//   report_events  U                              1, 2, …             U's events; expire after reports.keep, if set
//   report_events  U/history/R                    1, 2, …             the changes of R, by version; never expire
//   report_events  U/key/HEX                      0                   an idempotency key; expires after 24 hours
//   report_events  source/TOPIC/PARTITION/OFFSET  0                   a record that was applied; never expires
//   report_events  store                          0                   the store's id, and the version of this layout
//   both           probe                          probe / 0           what probe() writes, to see that it can
//
// Events and history are two items of one fact because they are read in two orders and only one of them may expire; the
// history of a report has a partition of its own. All changes of a user go through the tip, whose condition is what
// makes the numbers follow each other without holes. Lists need no index: ids are UUIDs of version 7, so by name is by
// age. TTL (the attribute `expires`) forgets late and in no order, so what has expired is left out on reading, by its
// time. Reads are consistent reads.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "reports/report_store.h"

namespace rillgate::reports {

struct DynamoDbOptions {
  std::string endpoint{};  // http(s)://HOST[:PORT]; empty: AWS's for the region
  std::string region{"us-east-1"};
  std::string table_prefix{};
  /// A variable of the environment, where credentials are looked for (impl/credentials.h); nothing when it is not set.
  std::function<std::optional<std::string>(const char* name)> environment = process_environment;

  [[nodiscard]] static std::optional<std::string> process_environment(const char* name);
};

/// Neither blocks nor fails: the tables are looked for with the first request, and again with each until they are
/// there.
[[nodiscard]] std::unique_ptr<ReportStore> make_dynamodb_store(const DynamoDbOptions& location, StoreOptions options);

}  // namespace rillgate::reports
