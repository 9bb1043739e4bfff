// What the tests on DynamoDB Local share.
#pragma once

#include <filesystem>
#include <string>

#include "reports/dynamodb/dynamodb_store.h"
#include "unit/reports/support.h"

namespace rillgate::reports::testing {

[[nodiscard]] std::string dynamodb_endpoint();
/// By dynamodb_local_init.sh.
void make_tables(const std::string& prefix);
/// The tables' prefix of a test, by its directory.
[[nodiscard]] std::string prefix_of(const std::filesystem::path& directory);

}  // namespace rillgate::reports::testing
