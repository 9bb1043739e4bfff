#include "feed/topic_feed.h"

#include "base/names.h"

namespace rillgate::feed {
namespace {

/// What an event has on the wire beside its message, about.
constexpr std::uint64_t kFrameBytes = 128;

kafka::TopicReader::Options reader_options(const TopicFeed::Options& options) {
  kafka::TopicReader::Options reader{
      .topic = options.topic, .read_back = options.read_back, .create_topic = options.creates_topic};
  if (options.creates_dead_topic) reader.create_too.push_back(options.dead_topic);
  return reader;
}

std::optional<BadRecord> fault_of(RecordParser& parser, const kafka::Record& record) {
  const auto event = parser.parse(record);
  return event ? std::nullopt : std::optional(event.error());
}

std::chrono::nanoseconds age_of(const kafka::Record& record) {
  if (record.timestamp_ms <= 0) return {};
  return std::chrono::system_clock::now().time_since_epoch() - std::chrono::milliseconds(record.timestamp_ms);
}

}  // namespace

TopicFeed::TopicFeed(const kafka::Config& config, const Options& options, Outlet outlet, hub::Hub& hub,
                     kafka::PartitionGroup& group, kafka::Producer& producer, DeadLetterCounts& counts)
    : topic_(options.topic),
      batch_bytes_(options.batch_bytes),
      outlet_(std::move(outlet)),
      hub_(hub),
      parser_(options.format),
      dead_letters_(
          {.topic = options.topic, .dead_topic = options.dead_topic},
          // The group's thread has a parser of its own.
          [parser = std::make_unique<RecordParser>(options.format)](const kafka::Record& record) {
            return fault_of(*parser, record);
          },
          group, producer, counts),
      reader_(config, reader_options(options), *this) {
  group.add(topic_, dead_letters_);
}

void TopicFeed::on_topic(std::string_view name) {
  add(hub_.identify_log(name));
}

void TopicFeed::on_beginning(const kafka::Beginning& beginning) {
  add(hub_.begin_partition(
      {.partition = beginning.partition, .first = beginning.first, .live_from = beginning.live_from}));
  if (beginning.partition >= next_.size()) next_.resize(beginning.partition + 1);
  next_[beginning.partition] = beginning.first;
  dead_letters_.on_beginning(beginning.partition, beginning.first);
}

void TopicFeed::on_record(const kafka::Record& record) {
  const hub::LogRecord place{record.place.partition, record.place.offset};
  if (const auto event = parser_.parse(record)) {
    const auto user = event->user == kEveryone ? std::nullopt : std::optional(event->user);
    hub::Published published = hub_.publish_record(user, event->text, place, age_of(record));
    if (published.streams > 0) add(std::exchange(published.to_flush, {}), event->text.data.size() + kFrameBytes);
  } else {
    hub_.skip_record(place);
    dead_letters_.on_bad_record(record, event.error());
    outlet_.on_bad_record(record.place, event.error());
  }
  next_[place.partition] = place.offset + 1;
}

void TopicFeed::on_passed(kafka::Place next) {
  if (next.offset > 0) hub_.skip_record({next.partition, next.offset - 1});
  next_[next.partition] = next.offset;
}

void TopicFeed::on_lost(kafka::Place first) {
  add(hub_.lose_records(first.partition, first.offset));
  next_[first.partition] = first.offset;
}

void TopicFeed::on_end(kafka::Place end) {
  add(hub_.confirm_end(end.partition, end.offset));
}

void TopicFeed::on_pause() {
  flush();
  for (std::uint32_t i = 0; i < next_.size(); ++i) dead_letters_.on_read({i, next_[i]});
  for (const std::uint32_t partition : hub_.log()->take_suspects()) reader_.check_end(partition);
}

void TopicFeed::add(hub::FlushList streams, std::uint64_t bytes) {
  while (!streams.empty()) to_flush_.push(streams.pop());
  to_flush_bytes_ += bytes;
  if (to_flush_bytes_ >= batch_bytes_) flush();
}

void TopicFeed::flush() {
  to_flush_bytes_ = 0;
  if (!to_flush_.empty()) outlet_.flush(std::exchange(to_flush_, {}));
}

}  // namespace rillgate::feed
