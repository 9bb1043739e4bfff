// Reads one topic whole: all its partitions, each from where it matters to its end and on.
//
// It guarantees that a partition which can't be read holds up no other; that what it has fetched and not handed over is
// bounded; and that a broker which is gone, not there yet, or back is met with patience and without a word from the
// caller. It has no consumer group: every node reads everything.
//
// Two threads: the reader hands records over, the scout asks the cluster what takes time to answer (which partitions
// there are, where they begin and end).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/config.h"
#include "kafka/record.h"

namespace rillgate::kafka {

/// From where a partition is read.
struct Beginning {
  std::uint32_t partition = 0;
  std::uint64_t first = 0;      // the first offset that is handed over
  std::uint64_t live_from = 0;  // what came since the reader was started begins here; never before `first` but where
                                // that is gone
};

class TopicReader {
 public:
  struct Options {
    std::string topic;
    std::chrono::milliseconds read_back{0};    // how old what is read at the start may be
    bool create_topic = true;                  // when it is missing, with the cluster's defaults
    std::vector<std::string> create_too = {};  // others that have to be there, and are not read
  };

  struct Status {
    bool is_reachable = false;               // some broker answers, and the topic is there
    std::string reason;                      // why not; or what is amiss all the same
    std::uint32_t partitions = 0;            // 0 until they are known
    std::vector<std::uint32_t> unread = {};  // those without a leader, or not read yet up to where the reader began
  };

  /// All but on_status are called on the reader's thread. None may block for long, or throw.
  class Listener {
   public:
    /// Before all else: `name` tells this topic of this cluster from every other.
    virtual void on_topic(std::string_view name) = 0;
    /// Before the partition's first record.
    virtual void on_beginning(const Beginning& beginning) = 0;
    /// All partitions that the topic had at first have begun. Those that are added later are read from offset 0.
    virtual void on_all_begun() = 0;
    virtual void on_record(const Record& record) = 0;
    /// What lies before `place.offset` is passed; the last of it was nothing for readers.
    virtual void on_passed(Place next) = 0;
    /// What lay before `first.offset` is gone (or, when it is less than was read already, the topic began anew).
    virtual void on_lost(Place first) = 0;
    /// The answer to check_end().
    virtual void on_end(Place end) = 0;
    /// All that had arrived is handed over; and at least ten times a second.
    virtual void on_pause() = 0;
    /// The scout's thread; after each change.
    virtual void on_status(const Status& status) = 0;

   protected:
    ~Listener() = default;
  };

  /// `config` and `listener` outlive the reader. Throws std::runtime_error when librdkafka refuses the configuration.
  TopicReader(const Config& config, Options options, Listener& listener);
  ~TopicReader();

  void start();
  /// Blocks until no more call to the listener is under way or comes. Not from the listener.
  void stop();

  /// Asks for the partition's end; on_end() tells it. Any thread.
  void check_end(std::uint32_t partition);

  struct Lag {
    std::uint32_t partition;
    std::uint64_t records;  // between what was read and the end, as far as it is known
  };
  /// Of the partitions that are read. Any thread.
  [[nodiscard]] std::vector<Lag> lag() const;

 private:
  class Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace rillgate::kafka
