#include "reports/memory/memory_store.h"
#include "reports/sqlite/sqlite_store.h"
#include "unit/reports/support.h"

namespace rillgate::reports::testing {

std::vector<StoreKind> store_kinds() {
  return {
      {"memory", [](const auto&, StoreOptions options) { return make_memory_store(std::move(options)); }},
      {"sqlite",
       [](const auto& directory, const StoreOptions& options) {
         return open_sqlite_store(directory / "reports.db", options).value();
       }},
  };
}

}  // namespace rillgate::reports::testing
