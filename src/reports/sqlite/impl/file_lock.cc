#include "reports/sqlite/impl/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace rillgate::reports::impl {

std::expected<FileLock, Error> FileLock::take(const std::filesystem::path& file) {
  std::error_code ignored;  // a path that cannot be resolved cannot be opened either; open() says why
  std::filesystem::path path = std::filesystem::weakly_canonical(file, ignored);  // one lock whatever links lead here
  if (path.empty()) path = file;
  path += "-lock";

  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return std::unexpected(
        Error{"the directory cannot be written (" + path.string() + ": " + std::strerror(errno) + ")"});
  }
  FileLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return std::unexpected(Error{"it cannot be locked: " + std::string(std::strerror(errno))});
    std::array<char, 20> holder{};
    const ssize_t bytes = pread(descriptor, holder.data(), holder.size(), 0);
    return std::unexpected(Error{"process " + (bytes > 0 ? std::string(holder.data(), bytes) : "(unknown)") +
                                 " uses it; a file serves one process"});
  }
  // For the message above only, so a full disk is no reason not to start.
  const std::string self = std::to_string(getpid());
  if (ftruncate(descriptor, 0) == 0) static_cast<void>(pwrite(descriptor, self.data(), self.size(), 0) < 0);
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace rillgate::reports::impl
