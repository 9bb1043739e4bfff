// The suite of every store on a real DynamoDB: DynamoDB Local, at the address that RILLGATE_TEST_DYNAMODB says. Each
// test has tables of its own, made by the script that users run.

#include <cstdio>
#include <cstdlib>

#include "unit/dynamodb/support.h"

namespace rillgate::reports::testing {

std::string dynamodb_endpoint() {
  const char* const endpoint = std::getenv("RILLGATE_TEST_DYNAMODB");
  if (endpoint == nullptr) {
    std::fputs("RILLGATE_TEST_DYNAMODB is not set; `./dev test dynamodb` starts DynamoDB Local and sets it\n", stderr);
    std::exit(1);
  }
  return endpoint;
}

void make_tables(const std::string& prefix) {
  const std::string command = "DYNAMODB_ENDPOINT='" + dynamodb_endpoint() + "' RILLGATE_DYNAMODB_TABLE_PREFIX='" +
                              prefix + "' '" RILLGATE_SOURCE_DIR "/dynamodb_local_init.sh' >/dev/null";
  if (std::system(command.c_str()) != 0) std::abort();
}

std::string prefix_of(const std::filesystem::path& directory) {
  return directory.filename().string() + ".";
}

std::vector<StoreKind> store_kinds() {
  return {{.name = "dynamodb",
           .open =
               [](const auto& directory, StoreOptions options) {
                 const std::string prefix = prefix_of(directory);
                 make_tables(prefix);
                 return make_dynamodb_store({.endpoint = dynamodb_endpoint(), .table_prefix = prefix},
                                            std::move(options));
               },
           .burst = 200}};
}

}  // namespace rillgate::reports::testing
