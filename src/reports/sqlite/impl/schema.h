// What a database file looks like inside, and how an older one becomes one of today.
#pragma once

#include <expected>
#include <span>
#include <string>

#include "base/error.h"
#include "reports/sqlite/impl/database.h"

namespace rillgate::reports::impl {

/// Script n makes version n + 1 out of version n; version 0 is an empty file. Scripts that were released never change.
[[nodiscard]] std::span<const char* const> migrations();

/// Brings the file up to the last of `scripts`, each in a transaction of its own, and sets the connection up. Refuses
/// other programs' databases, newer versions, and what is no database; these it leaves as they are.
[[nodiscard]] std::expected<void, Error> prepare_schema(Database& database, std::span<const char* const> scripts);

/// The id that the first migration made. The file is prepared.
[[nodiscard]] std::expected<StoreId, Error> read_store_id(Database& database);

/// Why a file cannot be opened, for the operator.
[[nodiscard]] Error open_error(const Failure& failure);

}  // namespace rillgate::reports::impl
