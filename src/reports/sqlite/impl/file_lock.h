// One process a database file.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace rillgate::reports::impl {

/// Held from take() until destruction or the process' end, however it ends. It is a file of its own, `FILE-lock`, with
/// the holder's process id in it: SQLite's own locks would shut out the store's reading connection, and a descriptor of
/// ours on the database file would release SQLite's locks when it is closed (POSIX locks belong to process and file).
/// The lock file stays; removing it would race with the next holder.
class FileLock {
 public:
  [[nodiscard]] static std::expected<FileLock, Error> take(const std::filesystem::path& file);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;  // -1: moved from
};

}  // namespace rillgate::reports::impl
