// Reports in memory: for trying things out and for tests. All is gone when the process ends, and the next process has a
// StoreId of its own, by which watchers notice. It has the threads and callbacks of the other stores, so a caller that
// is right with one is right with all.
#pragma once

#include <memory>

#include "reports/report_store.h"

namespace rillgate::reports {

[[nodiscard]] std::unique_ptr<ReportStore> make_memory_store(StoreOptions options);

}  // namespace rillgate::reports
