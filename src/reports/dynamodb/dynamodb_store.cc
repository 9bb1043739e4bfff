#include "reports/dynamodb/dynamodb_store.h"

#include <cassert>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "reports/dynamodb/impl/client.h"
#include "reports/dynamodb/impl/opening.h"
#include "reports/dynamodb/impl/reads.h"
#include "reports/dynamodb/impl/writes.h"
#include "reports/impl/rules.h"

namespace rillgate::reports {
namespace {

using dynamodb::Outcome;
using dynamodb::Task;

/// Counts the requests that were accepted and not yet answered. Any thread.
class Requests {
 public:
  explicit Requests(std::size_t waiting_max) : waiting_max_(waiting_max) {}

  [[nodiscard]] std::expected<void, impl::Refusal> begin() {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return std::unexpected(impl::Refusal::kClosed);
    if (waiting_ >= waiting_max_) return std::unexpected(impl::Refusal::kFull);
    ++waiting_;
    return {};
  }
  void end() {
    const std::lock_guard lock(mutex_);
    --waiting_;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
  }
  [[nodiscard]] bool are_over() const {
    const std::lock_guard lock(mutex_);
    return is_closed_ && waiting_ == 0;
  }
  [[nodiscard]] Unavailable refused(impl::Refusal refusal) const { return impl::unavailable(refusal, waiting_max_); }

 private:
  const std::size_t waiting_max_;
  mutable std::mutex mutex_;
  std::size_t waiting_ = 0;
  bool is_closed_ = false;
};

class DynamoDbStore final : public ReportStore {
 public:
  /// Once the store closes: without an answer for so long, what was accepted is given up. A DynamoDB that is away must
  /// not hold the process up.
  static constexpr std::chrono::milliseconds kCloseSilence{5'000};

  DynamoDbStore(const DynamoDbOptions& location, StoreOptions options)
      : options_(std::move(options)),
        requests_(options_.waiting_max),
        tables_(location.table_prefix),
        client_(loop_, {location.endpoint, location.region, location.environment}),
        opening_(client_, tables_),
        reads_({client_, opening_, tables_, options_.clock, options_.keep}),
        writes_({client_, reads_, tables_, options_.clock, options_.keep}),
        thread_([this] { loop_.run([this] { return requests_.are_over(); }); }) {}
  ~DynamoDbStore() override { stop(); }

  [[nodiscard]] const StoreId* id() const override { return opening_.id(); }

  void create(const UserId& user, std::optional<IdempotencyKey> key, Done<Change> done) override {
    write(user, dynamodb::CreateRequest{std::move(key)}, std::move(done));
  }
  void change(ChangeRequest request, Done<Change> done) override {
    const UserId user = request.user;
    write(user, std::move(request), std::move(done));
  }
  void get(const UserId& user, const ReportId& report, Done<Report> done) override {
    run(std::move(done), [this, user, report] { return reads_.get(user, report); });
  }
  void list(const ListRequest& request, Done<ReportPage> done) override {
    assert(request.limit >= 1 && request.limit <= ListRequest::kLimitMax);
    run(std::move(done), [this, request] { return reads_.list(request); });
  }
  void history(const UserId& user, const ReportId& report, Done<std::vector<HistoryEntry>> done) override {
    run(std::move(done), [this, user, report] { return reads_.history(user, report); });
  }
  void events_after(const EventsRequest& request, Done<EventPage> done) override {
    assert(request.limit >= 1 && request.limit <= EventsRequest::kLimitMax);
    run(std::move(done), [this, request] { return reads_.events_after(request); });
  }
  void newest_seq(const UserId& user, Done<EventSeq> done) override {
    run(std::move(done), [this, user] { return reads_.newest_seq(user); });
  }
  void probe(Done<void> done) override {
    run(std::move(done), [this] { return writes_.probe(); });
  }

  void close() override { stop(); }

 private:
  /// `done`, after which the request no longer counts: so it may ask anew within it.
  template <class Result>
  Done<Result> counted(Done<Result> done) {
    return [this, done = std::move(done)](std::expected<Result, ReportError> result) mutable {
      requests_.end();
      done(std::move(result));
    };
  }

  void write(const UserId& user, dynamodb::WriteRequest request, Done<Change> done) {
    if (const auto begun = requests_.begin(); !begun) return done(std::unexpected(requests_.refused(begun.error())));
    loop_.post([this, user, write = dynamodb::Write{std::move(request), counted(std::move(done))}]() mutable {
      writes_.add(user, std::move(write));
    });
  }

  template <class Result, class Operation>
  void run(Done<Result> done, Operation operation) {
    if (const auto begun = requests_.begin(); !begun) return done(std::unexpected(requests_.refused(begun.error())));
    loop_.post([operation = std::move(operation), done = counted(std::move(done))]() mutable {
      answer<Result>(operation(), std::move(done));
    });
  }
  template <class Result>
  static dynamodb::Detached answer(Task<Outcome<Result>> operation, Done<Result> done) {
    Outcome<Result> outcome = co_await operation;
    done(std::move(outcome));
  }

  void stop() {
    requests_.close();
    loop_.post([this] { client_.end_after(kCloseSilence); });
    if (thread_.joinable()) thread_.join();
  }

  const StoreOptions options_;
  Requests requests_;
  dynamodb::Loop loop_;
  const dynamodb::Tables tables_;
  dynamodb::Client client_;
  dynamodb::Opening opening_;
  dynamodb::Reads reads_;
  dynamodb::Writes writes_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

std::optional<std::string> DynamoDbOptions::process_environment(const char* name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::unique_ptr<ReportStore> make_dynamodb_store(const DynamoDbOptions& location, StoreOptions options) {
  return std::make_unique<DynamoDbStore>(location, std::move(options));
}

}  // namespace rillgate::reports
