#include "api/report_stream.h"

#include <algorithm>

#include "api/parameters.h"
#include "base/text.h"
#include "sse/encode.h"

namespace rillgate::api {
namespace {

using reports::EventSeq;
using reports::Position;

constexpr EventSeq kBeforeAll{0};

std::string event_block(const reports::StoreId& store, const reports::UserId& user, const reports::ReportEvent& event) {
  return sse::control_block({.type = reports::event_type(event),
                             .id = Position{store, event.seq}.text(),
                             .data = reports::event_json(user, event)});
}

/// `oldest` nothing: no event follows.
std::string gap_block(const reports::StoreId& store, std::string_view requested, const std::optional<EventSeq>& oldest,
                      EventSeq position, std::chrono::milliseconds retry) {
  const std::string first = oldest.has_value() ? json_string(Position{store, oldest.value()}.text()) : "null";
  return sse::control_block({.type = "stream-gap",
                             .id = Position{store, position}.text(),
                             .retry = retry,
                             .data = R"({"requested":)" + json_string(requested) + R"(,"oldest":)" + first + "}"});
}

/// The position before the oldest event that is kept after what the page was asked for.
EventSeq before_first(const reports::EventPage& page) {
  return page.events.empty() ? page.newest : EventSeq{value(page.events.front().seq) - 1};
}

std::optional<EventSeq> asked_seq(const reports::StoreId& store, const std::optional<std::string>& asked) {
  const auto position = asked ? Position::parse(*asked) : std::nullopt;
  if (!position || position->store != store) return std::nullopt;
  return position->seq;
}

}  // namespace

void read_start(reports::ReportStore& store, const reports::UserId& user, const std::optional<std::string>& asked,
                reports::Done<reports::EventPage> done) {
  constexpr std::size_t kFirstPageEvents = 100;
  if (!asked) {
    store.newest_seq(user, [done = std::move(done)](std::expected<EventSeq, reports::ReportError> newest) mutable {
      if (!newest) return done(std::unexpected(newest.error()));
      done(reports::EventPage{.events = {}, .newest = *newest});
    });
    return;
  }
  if (store.id() == nullptr) {
    // Which ids are the store's own is not known before it has answered; any answer will do.
    store.newest_seq(user, [&store, user, asked, done = std::move(done)](auto newest) mutable {
      if (!newest) return done(std::unexpected(std::move(newest.error())));
      read_start(store, user, asked, std::move(done));
    });
    return;
  }
  const EventSeq after = asked_seq(*store.id(), asked).value_or(kBeforeAll);
  auto take = [&store, user, after, done = std::move(done)](auto page) mutable {
    if (!page || page->newest >= after) return done(std::move(page));
    // Never given out: the store was put back to an older copy. What it has follows a gap.
    store.events_after({.user = user, .after = kBeforeAll, .limit = kFirstPageEvents}, std::move(done));
  };
  store.events_after({.user = user, .after = after, .limit = kFirstPageEvents}, std::move(take));
}

ReportStart report_start(const reports::UserId& user, const reports::StoreId& store,
                         const std::optional<std::string>& asked, const reports::EventPage& page,
                         std::chrono::milliseconds retry) {
  ReportStart start;
  if (!asked) {
    start.position = page.newest;
  } else {
    const auto seq = asked_seq(store, asked);
    const bool is_earliest = resume_from(asked).from == hub::Resume::From::kEarliest;
    const bool is_known = is_earliest || (seq && *seq <= page.newest && !page.trimmed);
    start.position = seq && is_known ? *seq : before_first(page);
    if (!is_known) {
      std::optional<EventSeq> oldest;
      if (!page.events.empty()) oldest = page.events.front().seq;
      start.blocks = gap_block(store, *asked, oldest, start.position, retry);
      start.has_gap = true;
    }
  }
  if (start.blocks.empty()) {
    start.blocks =
        sse::control_block({.type = "stream-open", .id = Position{store, start.position}.text(), .retry = retry});
  }
  if (!asked) return start;
  for (const reports::ReportEvent& event : page.events) {
    start.blocks += event_block(store, user, event);
    start.position = event.seq;
    ++start.events;
  }
  return start;
}

// ---- ReportWatchers

void ReportWatchers::add(ReportStream& stream) {
  users_[stream.user()].push_back(stream);
  by_recheck_.push_back(stream);
  if (count_.fetch_add(1, std::memory_order_relaxed) == 0) on_time(owner_.reactor.now());
}

void ReportWatchers::remove(ReportStream& stream) {
  if (!stream.ListHook<OfUser>::linked()) return;
  stream.ListHook<OfUser>::unlink();
  stream.ListHook<ToRecheck>::unlink();
  if (const auto entry = users_.find(stream.user()); entry->second.empty()) users_.erase(entry);
  count_.fetch_sub(1, std::memory_order_relaxed);
}

void ReportWatchers::tell(const reports::UserId& user, EventSeq seq, const Ref<hub::Event>& event) {
  const auto entry = users_.find(user);
  if (entry == users_.end()) return;
  for (auto at = entry->second.begin(); at != entry->second.end();) {
    ReportStream& stream = *at;
    ++at;
    stream.on_notice(seq, event);
  }
}

/// Re-checks a share of the streams, so that each has its turn once in the period.
void ReportWatchers::on_time(io::Time now) {
  constexpr std::chrono::milliseconds kStep{250};
  const std::size_t count = count_.load(std::memory_order_relaxed);
  if (count == 0) return;
  const auto steps = static_cast<std::size_t>(std::max<std::int64_t>(recheck_ / kStep, 1));
  owner_.reactor.start(*this, now + std::min(kStep, recheck_));
  for (std::size_t i = 0; i < (count + steps - 1) / steps && !by_recheck_.empty(); ++i) {
    ReportStream& stream = by_recheck_.front();
    if (stream.checked_at() + recheck_ > now) return;
    by_recheck_.pop_front();
    by_recheck_.push_back(stream);
    stream.catch_up();
  }
}

// ---- ReportWatch

ReportWatch::ReportWatch(hub::Hub& hub, const std::vector<std::unique_ptr<StreamOwner>>& owners,
                         const reports::ReportStore& store, std::chrono::milliseconds recheck)
    : hub_(hub), store_(store) {
  for (const auto& owner : owners) watchers_.push_back(std::make_unique<ReportWatchers>(*owner, recheck));
}

void ReportWatch::on_event(const reports::UserId& user, const reports::ReportEvent& event) {
  hub_.count_event_in();
  Ref<hub::Event> frame;
  for (const auto& watchers : watchers_) {
    if (!watchers->any()) continue;
    if (!frame) {
      frame = hub::Event::fixed(event_block(*store_.id(), user, event), 1);
      frame->published = std::chrono::steady_clock::now();
    }
    watchers->owner().reactor.post(
        [&watchers = *watchers, user, seq = event.seq, frame] { watchers.tell(user, seq, frame); });
  }
}

// ---- ReportStream

ReportStream::ReportStream(hub::Hub& hub, StreamOwner& owner, const Options& options, const reports::UserId& user,
                           ReportStart begin)
    : EventStream(hub, owner),
      options_(options),
      user_(user),
      begin_(std::move(begin)),
      store_(options.store.id()),
      position_(begin_.position) {}

ReportStream::~ReportStream() {
  if (handle_) *handle_ = nullptr;
  options_.watchers.remove(*this);
}

void ReportStream::on_start() {
  handle_ = std::make_shared<ReportStream*>(this);
  options_.watchers.add(*this);
  tick_at(owner().reactor.now() + options_.keep_alive.interval);
  const ReportStart begin = std::exchange(begin_, {});
  if (begin.has_gap) hub().count_gap();
  send(hub::Event::fixed(begin.blocks, begin.events));
}

void ReportStream::on_tick(io::Time) {
  const auto [to_flush, next] = hub().keep_alive(*this, options_.keep_alive.comment, options_.keep_alive.interval);
  tick_at(next);
  if (to_flush) flush();
  if (!live_) catch_up();  // the store was down
}

/// All is sent: time for the next page, unless nothing is lacking.
void ReportStream::on_idle() {
  idle_ = true;
  if (!live_) catch_up();
}

void ReportStream::on_notice(EventSeq seq, const Ref<hub::Event>& event) {
  announced_ = std::max(announced_, seq);
  if (!live_) return;
  const bool is_same_store = options_.store.id() == store_;
  if (is_same_store && seq <= position_) return;
  if (is_same_store && seq == next(position_)) {
    position_ = seq;
    send(event);
  } else {
    live_ = false;
    catch_up();
  }
}

void ReportStream::catch_up() {
  checked_at_ = owner().reactor.now();
  if (!idle_ || std::exchange(reading_, true))
    return;  // a page at a time, and only for a client that has taken the last
  reading_after_ = position_;
  announced_ = kBeforeAll;  // the page will have it, unless the notice was false
  options_.store.events_after(
      {.user = user_, .after = position_, .limit = kPageEvents},
      [&reactor = owner().reactor, handle = handle_](std::expected<reports::EventPage, reports::ReportError> page) {
        reactor.post([handle, page = std::move(page)] {
          if (*handle != nullptr) (*handle)->on_page(page);
        });
      });
}

bool ReportStream::began_anew(const reports::EventPage& page) {
  const reports::StoreId* const store = options_.store.id();
  if (lost_ || (store == store_ && page.newest >= reading_after_)) return false;
  lost_ = Position{*store_, position_}.text();
  store_ = store;
  position_ = announced_ = kBeforeAll;
  live_ = false;
  catch_up();
  return true;
}

void ReportStream::on_page(const std::expected<reports::EventPage, reports::ReportError>& page) {
  reading_ = false;
  if (!page) {
    live_ = false;
    tick_at(owner().reactor.now() + kRetryPause);
    return;
  }
  if (began_anew(*page)) return;
  const reports::StoreId& store = *store_;
  std::string blocks;
  std::uint32_t events = 0;
  if (const auto lost = std::exchange(lost_, std::nullopt)) {
    std::optional<EventSeq> oldest;
    if (!page->events.empty()) oldest = page->events.front().seq;
    position_ = before_first(*page);
    blocks = gap_block(store, *lost, oldest, position_, {});
    hub().count_gap();
  }
  for (const reports::ReportEvent& event : page->events) {
    if (event.seq <= position_) continue;  // a notice brought it meanwhile
    if (event.seq != next(position_)) {    // reports.keep has overtaken this reader
      const EventSeq before{value(event.seq) - 1};
      blocks += gap_block(store, Position{store, position_}.text(), event.seq, before, {});
      hub().count_gap();
    }
    blocks += event_block(store, user_, event);
    position_ = event.seq;
    ++events;
  }
  if (blocks.empty() && page->events.empty() && page->trimmed) {
    blocks = gap_block(store, Position{store, position_}.text(), std::nullopt, page->newest, {});
    hub().count_gap();
    position_ = page->newest;
  }
  if (!blocks.empty()) {
    live_ = false;  // until a page shows that nothing is left
    send(hub::Event::fixed(blocks, events));
  } else if (announced_ > position_) {
    catch_up();  // the page was read before the event that was announced meanwhile
  } else {
    live_ = true;
  }
}

void ReportStream::send(Ref<hub::Event> event) {
  idle_ = false;
  if (hub().push(*this, std::move(event))) flush();
}

}  // namespace rillgate::api
