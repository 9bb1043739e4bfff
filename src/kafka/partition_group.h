// Shares the partitions of some topics out among the nodes, for work that is to be done once in the whole cluster: each
// partition is one node's at a time, and a new owner goes on where the last one said it was (at least once, when that
// one died before it could say so).
//
// An owner need not read: a partition may rest while its owner does the work from what it reads anyway.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "kafka/config.h"
#include "kafka/record.h"

namespace rillgate::kafka {

class PartitionGroup {
 public:
  /// One topic's worker. Called on the group's thread; must not block for long, or throw.
  class Worker {
   public:
    /// The partition is this node's from now on; the last owner had come to `committed`, if there was one. Returns from
    /// where to read it; nothing lets it rest.
    virtual std::optional<std::uint64_t> on_assigned(std::uint32_t partition,
                                                     std::optional<std::uint64_t> committed) = 0;
    /// The partition is no longer this node's. Returns how far it has come, for the next owner; nothing when that is
    /// said already.
    virtual std::optional<std::uint64_t> on_revoked(std::uint32_t partition) = 0;
    virtual void on_record(const Record& record) = 0;
    /// What lies before `next.offset` is passed; there is nothing more now.
    virtual void on_end(Place next) = 0;
    /// At least ten times a second.
    virtual void on_turn() = 0;

   protected:
    ~Worker() = default;
  };

  /// `config` outlives the group. Throws std::runtime_error when librdkafka refuses the configuration.
  PartitionGroup(const Config& config, const std::string& name);
  ~PartitionGroup();

  /// Before start(). The worker outlives the group.
  void add(const std::string& topic, Worker& worker);
  void start();
  /// Gives the partitions back. Blocks until no more call to a worker is under way or comes. Not from a worker.
  void stop();

  // On the group's thread, for partitions that are this node's.

  void read_from(const std::string& topic, Place next);
  void rest(const std::string& topic, std::uint32_t partition);
  /// Says how far the partition has come. Soon, not at once.
  void commit(const std::string& topic, Place next);

 private:
  class Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace rillgate::kafka
