// Reports in an SQLite file, for one process: durable through a crash of the process and of the machine.
//
// One thread writes. All changes that wait go into one transaction, so the disk is asked to sync once for many of them
// (group commit), and each is answered after that sync. Another thread reads, from a connection of its own that a write
// never holds up. When the disk fails or is full, the whole transaction is undone and each of its requests ends as
// Unavailable; the next ones try again, so the store goes on by itself when the disk does.
#pragma once

#include <expected>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "reports/report_store.h"

namespace rillgate::reports {

/// Opens the file, or makes it. Beside it stand `-wal` and `-shm` (SQLite's; part of the data until a clean close) and
/// `-lock`, which keeps a second process out; other programs may read the file and back it up meanwhile.
/// Blocks. The error is for the operator: the file is in use, of a newer version, not ours, not writable, …
[[nodiscard]] std::expected<std::unique_ptr<ReportStore>, Error> open_sqlite_store(const std::filesystem::path& file,
                                                                                   const StoreOptions& options);

}  // namespace rillgate::reports
