#include "kafka/impl/scout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace rillgate::kafka {
namespace {

using std::chrono::milliseconds;

/// For one answer of the cluster.
constexpr int kAnswerMs = 1'500;
/// Between two looks when all is well: a new partition is found within it.
constexpr milliseconds kCalmPeriod{3'000};
/// When something is missing.
constexpr milliseconds kEagerPeriod{300};

}  // namespace

Scout::Scout(Context& context, TopicReader::Options options, Client& client)
    : kafka_(make_client(RD_KAFKA_CONSUMER, make_conf(context, {{"allow.auto.create.topics", "false"}}, {}))),
      options_(std::move(options)),
      topic_(rd_kafka_topic_new(kafka_.get(), options_.topic.c_str(), nullptr)),
      client_(client),
      began_(std::chrono::system_clock::now()),
      to_create_(options_.create_too) {}

void Scout::start() {
  thread_ = std::thread([this] { run(); });
}

void Scout::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Scout::check_end(std::uint32_t partition) {
  const std::lock_guard lock(mutex_);
  to_check_.insert(partition);
  is_urgent_ = true;
  changed_.notify_all();
}

void Scout::find_again(Place lost) {
  const std::lock_guard lock(mutex_);
  lost_.push_back(lost);
  is_urgent_ = true;
  changed_.notify_all();
}

void Scout::note_read(std::uint32_t partition) {
  const std::lock_guard lock(mutex_);
  status_changed_ |= unread_.erase(partition) > 0;
  is_urgent_ |= status_changed_;
  changed_.notify_all();
}

void Scout::run() {
  while (true) {
    const bool is_calm = look_round();
    tell_status();
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, is_calm ? kCalmPeriod : kEagerPeriod, [this] { return stopping_ || is_urgent_; });
    if (stopping_) return;
    is_urgent_ = false;
  }
}

void Scout::tell_status() {
  TopicReader::Status status{
      .is_reachable = is_reachable_, .reason = reason_, .partitions = static_cast<std::uint32_t>(has_begun_.size())};
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(status_changed_, false)) return;
    std::ranges::set_union(unread_, leaderless_, std::back_inserter(status.unread));
  }
  client_.on_status(status);
}

void Scout::set_unreachable(std::string reason) {
  const std::lock_guard lock(mutex_);
  status_changed_ |= is_reachable_ || reason_ != reason;
  is_reachable_ = false;
  reason_ = std::move(reason);
}

void Scout::set_reachable(std::string complaint) {
  const std::lock_guard lock(mutex_);
  status_changed_ |= !is_reachable_ || reason_ != complaint;
  is_reachable_ = true;
  reason_ = std::move(complaint);
}

bool Scout::look_round() {
  // All of them, so that none waits for another.
  const bool has_partitions = learn_partitions();
  const bool has_answered = answer_checks();
  const bool has_found = answer_lost();
  return has_partitions && has_answered && has_found;
}

bool Scout::learn_partitions() {
  const rd_kafka_metadata_t* answer = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(kafka_.get(), 0, topic_.get(), &answer, kAnswerMs);
  const Metadata metadata(answer);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    set_unreachable(fmt::format("no broker answers ({})", rd_kafka_err2str(error)));
    return false;
  }
  if (name_.empty()) {
    const std::unique_ptr<char, void (*)(char*)> cluster(rd_kafka_clusterid(kafka_.get(), kAnswerMs),
                                                         [](char* text) { rd_kafka_mem_free(nullptr, text); });
    if (cluster == nullptr) {
      set_unreachable("the cluster does not tell its id");
      return false;
    }
    name_ = fmt::format("{}/{}", cluster.get(), options_.topic);
    client_.post([this, name = name_] { client_.on_topic(name); });
  }
  const rd_kafka_metadata_topic_t& topic = metadata->topics[0];
  if (topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || topic.partition_cnt == 0) {
    if (options_.create_topic && create(options_.topic)) refusal_ = "it is being made";
    set_unreachable(fmt::format("the topic {} does not exist ({})", options_.topic,
                                options_.create_topic ? refusal_ : "create it, or turn on kafka.create-topics"));
    return false;
  }
  if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR && topic.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
    set_unreachable(fmt::format("the topic {} can't be read ({})", options_.topic, rd_kafka_err2str(topic.err)));
    return false;
  }
  if (to_create_.empty() || !is_reachable_) set_reachable({});
  const bool have_all_begun = begin_partitions(topic);
  if (!to_create_.empty()) create_missing();
  return have_all_begun && to_create_.empty();
}

bool Scout::begin_partitions(const rd_kafka_metadata_topic_t& topic) {
  const auto count = static_cast<std::uint32_t>(topic.partition_cnt);
  if (first_partitions_ == 0) {
    first_partitions_ = count;
    client_.post([this, count] { client_.on_partitions(count); });
  }
  if (count > has_begun_.size()) {
    const std::lock_guard lock(mutex_);
    for (auto i = static_cast<std::uint32_t>(has_begun_.size()); i < count; ++i) unread_.insert(i);
    has_begun_.resize(count);
    status_changed_ = true;
  }
  bool all = true;
  for (int i = 0; i < topic.partition_cnt; ++i) {
    const rd_kafka_metadata_partition_t& partition = topic.partitions[i];
    const auto id = static_cast<std::uint32_t>(partition.id);
    if (partition.id < 0 || id >= has_begun_.size()) continue;
    note_leader(id, partition.leader >= 0);
    if (has_begun_[id]) continue;
    // Without a leader an answer would be waited for in vain.
    has_begun_[id] = partition.leader >= 0 && begin(id);
    all = all && has_begun_[id];
  }
  if (all && !std::exchange(all_begun_, all)) client_.post([this] { client_.on_all_begun(); });
  return all;
}

void Scout::note_leader(std::uint32_t partition, bool has_one) {
  const std::lock_guard lock(mutex_);
  status_changed_ |= has_one ? leaderless_.erase(partition) > 0 : leaderless_.insert(partition).second;
}

bool Scout::begin(std::uint32_t partition) {
  const auto ends = ends_of(partition);
  if (!ends) return false;
  Beginning beginning{.partition = partition, .first = ends->low, .live_from = 0};
  if (partition < first_partitions_) {
    const auto live = offset_since(partition, began_, *ends);
    const auto old = offset_since(partition, std::chrono::system_clock::now() - options_.read_back, *ends);
    if (!live || !old) return false;
    beginning.live_from = *live;
    beginning.first = std::max(ends->low, std::min(*live, *old));
  }
  client_.post([this, beginning, end = ends->high] { client_.on_beginning(beginning, end); });
  return true;
}

bool Scout::answer_checks() {
  std::set<std::uint32_t> partitions;
  {
    const std::lock_guard lock(mutex_);
    partitions.swap(to_check_);
  }
  bool all = true;
  for (const std::uint32_t partition : partitions) {
    std::optional<std::uint64_t> end;
    if (is_reachable_ && partition >= has_begun_.size()) {
      end = 0;  // the cluster was asked for its partitions just now
    } else if (const auto ends = is_reachable_ ? ends_of(partition) : std::nullopt) {
      end = ends->high;
    }
    if (end) {
      client_.post([this, place = Place{partition, *end}] { client_.on_end(place); });
    } else {
      all = false;
      const std::lock_guard lock(mutex_);
      to_check_.insert(partition);
    }
  }
  return all;
}

bool Scout::answer_lost() {
  std::vector<Place> lost;
  {
    const std::lock_guard lock(mutex_);
    lost.swap(lost_);
  }
  bool all = true;
  for (const Place& place : lost) {
    if (const auto first = is_reachable_ ? next_of(place) : std::nullopt) {
      client_.post([this, next = Place{place.partition, *first}] { client_.on_found_again(next); });
    } else {
      all = false;
      const std::lock_guard lock(mutex_);
      lost_.push_back(place);
    }
  }
  return all;
}

std::optional<std::uint64_t> Scout::next_of(Place lost) {
  const auto ends = ends_of(lost.partition);
  if (!ends) return std::nullopt;
  if (lost.offset < ends->low) return ends->low;
  if (lost.offset <= ends->high) return lost.offset;
  // The topic was made anew, or has lost its end: begin as at the start.
  return offset_since(lost.partition, std::chrono::system_clock::now() - options_.read_back, *ends);
}

/// What is missing beside the topic that is read is amiss, and keeps nobody from reading.
void Scout::create_missing() {
  tell_status();  // the rest may take a while
  std::erase_if(to_create_, [this](const std::string& missing) { return create(missing); });
  set_reachable(to_create_.empty() ? std::string{}
                                   : fmt::format("the topic {} can't be made ({})", to_create_.front(), refusal_));
}

bool Scout::create(const std::string& name) {
  if (stopping_) return false;
  std::array<char, 256> message{};
  const std::unique_ptr<rd_kafka_NewTopic_t, Freed<rd_kafka_NewTopic_destroy>> topic(
      rd_kafka_NewTopic_new(name.c_str(), -1, -1, message.data(), message.size()));
  if (topic == nullptr) {
    refusal_ = message.data();
    return false;
  }
  const std::unique_ptr<rd_kafka_AdminOptions_t, Freed<rd_kafka_AdminOptions_destroy>> options(
      rd_kafka_AdminOptions_new(kafka_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kAnswerMs, nullptr, 0);
  const Queue queue(rd_kafka_queue_new(kafka_.get()));
  rd_kafka_NewTopic_t* topics[] = {topic.get()};
  rd_kafka_CreateTopics(kafka_.get(), topics, 1, options.get(), queue.get());
  const std::unique_ptr<rd_kafka_event_t, Freed<rd_kafka_event_destroy>> event(
      rd_kafka_queue_poll(queue.get(), kAnswerMs));
  const rd_kafka_CreateTopics_result_t* const result =
      event == nullptr ? nullptr : rd_kafka_event_CreateTopics_result(event.get());
  refusal_ = "the cluster does not answer";
  if (result == nullptr) return false;
  std::size_t count = 0;
  const rd_kafka_topic_result_t** const results = rd_kafka_CreateTopics_result_topics(result, &count);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
    // Another node was first: as good.
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
    refusal_ = rd_kafka_err2str(error);
    return false;
  }
  return true;
}

// Not rd_kafka_query_watermark_offsets(): it waits without end for a leader that is gone.
std::optional<Scout::Ends> Scout::ends_of(std::uint32_t partition) {
  const auto low = offset_at(partition, RD_KAFKA_OFFSET_BEGINNING);
  const auto high = low ? offset_at(partition, RD_KAFKA_OFFSET_END) : std::nullopt;
  if (!high || *low < 0 || *high < *low) return std::nullopt;
  return Ends{static_cast<std::uint64_t>(*low), static_cast<std::uint64_t>(*high)};
}

std::optional<std::uint64_t> Scout::offset_since(std::uint32_t partition, SystemTime time, const Ends& ends) {
  const auto offset = offset_at(partition, std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count());
  if (!offset) return std::nullopt;
  // Nothing so young: what comes next will be.
  return *offset < 0 ? ends.high : static_cast<std::uint64_t>(*offset);
}

std::optional<std::int64_t> Scout::offset_at(std::uint32_t partition, std::int64_t time) {
  if (stopping_) return std::nullopt;
  const Partitions list = partitions_of(options_.topic.c_str(), static_cast<std::int32_t>(partition), time);
  if (rd_kafka_offsets_for_times(kafka_.get(), list.get(), kAnswerMs) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return std::nullopt;
  const rd_kafka_topic_partition_t& answer = list->elems[0];
  return answer.err == RD_KAFKA_RESP_ERR_NO_ERROR ? std::optional(answer.offset) : std::nullopt;
}

}  // namespace rillgate::kafka
