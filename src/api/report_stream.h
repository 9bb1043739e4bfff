// V4's streams: the events of one user's reports, read from the store and told at once when they happen.
//
// The store is the truth, a notice only a wake-up. A stream counts: the event with the next number is sent straight
// from its notice; one further ahead makes the stream read what it lacks; one that it has is dropped. A slow re-check
// finds what no notice told.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/event_stream.h"
#include "base/list.h"
#include "reports/report_service.h"

namespace rillgate::api {

class ReportStream;
class ReportWatch;
struct OfUser;     // tag: the streams of one user on one reactor
struct ToRecheck;  // tag: a reactor's streams, the one longest without a re-check first

/// Where a V4 stream begins: its first block, the events that follow it, and what it has when they are sent.
struct ReportStart {
  std::string blocks;
  std::uint32_t events = 0;
  bool has_gap = false;
  reports::EventSeq position{};
};

/// What a stream from `asked` (an id, `earliest`, or nothing) begins with, given what the store has after it.
[[nodiscard]] ReportStart report_start(const reports::UserId& user, const reports::StoreId& store,
                                       const std::optional<std::string>& asked, const reports::EventPage& page,
                                       std::chrono::milliseconds retry);
/// Reads what a stream from `asked` begins with.
void read_start(reports::ReportStore& store, const reports::UserId& user, const std::optional<std::string>& asked,
                reports::Done<reports::EventPage> done);

/// The V4 streams of one reactor, on its thread.
class ReportWatchers final : public io::Timer {
 public:
  ReportWatchers(StreamOwner& owner, std::chrono::milliseconds recheck) : owner_(owner), recheck_(recheck) {}

  void add(ReportStream& stream);
  void remove(ReportStream& stream);
  void tell(const reports::UserId& user, reports::EventSeq seq, const Ref<hub::Event>& event);

  /// Any thread: false when a notice would find nobody.
  [[nodiscard]] bool any() const { return count_.load(std::memory_order_relaxed) > 0; }
  [[nodiscard]] StreamOwner& owner() const { return owner_; }

 private:
  void on_time(io::Time now) override;

  struct HashOfUser {
    std::size_t operator()(const reports::UserId& user) const {
      return std::hash<std::string_view>{}({reinterpret_cast<const char*>(user.bytes.data()), user.bytes.size()});
    }
  };

  StreamOwner& owner_;
  const std::chrono::milliseconds recheck_;
  std::atomic<std::size_t> count_{0};
  std::unordered_map<reports::UserId, List<ReportStream, OfUser>, HashOfUser> users_;
  List<ReportStream, ToRecheck> by_recheck_;
};

/// Brings each announced event to the reactors that have V4 streams.
class ReportWatch final : public reports::ReportListener {
 public:
  /// `hub`, `owners` and `store` outlive it.
  ReportWatch(hub::Hub& hub, const std::vector<std::unique_ptr<StreamOwner>>& owners, const reports::ReportStore& store,
              std::chrono::milliseconds recheck);

  void on_event(const reports::UserId& user, const reports::ReportEvent& event) override;
  [[nodiscard]] ReportWatchers& on(const StreamOwner& owner) { return *watchers_[owner.index]; }

 private:
  hub::Hub& hub_;
  const reports::ReportStore& store_;
  std::vector<std::unique_ptr<ReportWatchers>> watchers_;  // by the owner's index
};

class ReportStream final : public EventStream, public ListHook<OfUser>, public ListHook<ToRecheck> {
 public:
  struct Options {
    const UserStream::KeepAlive& keep_alive;
    reports::ReportStore& store;
    ReportWatchers& watchers;
  };
  ReportStream(hub::Hub& hub, StreamOwner& owner, const Options& options, const reports::UserId& user,
               ReportStart begin);
  ~ReportStream() override;

  [[nodiscard]] const reports::UserId& user() const { return user_; }
  void on_notice(reports::EventSeq seq, const Ref<hub::Event>& event);
  /// Reads what the store has after the stream's position.
  void catch_up();
  /// When that was last begun.
  [[nodiscard]] io::Time checked_at() const { return checked_at_; }

 private:
  /// Events read at once; the next ones follow when the client has taken these.
  static constexpr std::size_t kPageEvents = 100;
  static constexpr std::chrono::milliseconds kRetryPause{1'000};

  void on_start() override;
  void on_tick(io::Time now) override;
  void on_idle() override;
  /// Begins anew when the store has forgotten what this stream was told; true if so.
  [[nodiscard]] bool began_anew(const reports::EventPage& page);
  void on_page(const std::expected<reports::EventPage, reports::ReportError>& page);
  void send(Ref<hub::Event> event);

  const Options options_;
  const reports::UserId user_;
  ReportStart begin_;
  const reports::StoreId* store_;  // that position_ belongs to; another one when the tables were made anew
  reports::EventSeq position_;     // all up to here is in the stream's queue, or sent
  reports::EventSeq reading_after_{};
  std::optional<std::string> lost_;  // the id of a position that the store no longer has; a gap from there comes next
  reports::EventSeq announced_{};    // the newest event that a notice told of since the last read began
  bool live_ = false;                // nothing is lacking: the next notice's event may be sent at once
  bool idle_ = false;                // the client has taken everything
  bool reading_ = false;
  io::Time checked_at_{};
  std::shared_ptr<ReportStream*> handle_;  // null once the stream has ended
};

}  // namespace rillgate::api
