// What the tests of the settings share: a file to read, and short ways to start with given sources.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "ops/command_line.h"

namespace rillgate::ops {

/// A file with the given text, for as long as the object lives.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view text) : path_(::testing::TempDir() + "/settings_XXXXXX") {
    const int descriptor = mkstemp(path_.data());
    EXPECT_GE(descriptor, 0) << path_;
    close(descriptor);
    rewrite(text);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { unlink(path_.c_str()); }

  void rewrite(std::string_view text) const { std::ofstream(path_) << text; }
  [[nodiscard]] const char* path() const { return path_.c_str(); }
  /// `what` as it is told of line `number` of this file.
  [[nodiscard]] std::string at_line(int number, std::string_view what) const {
    return path_ + ":" + std::to_string(number) + ": " + std::string(what);
  }

 private:
  std::string path_;
};

using Words = std::vector<const char*>;

/// The settings of a server that starts; a failure of the test when it does not.
inline Serve started(const Words& arguments, const Environment& environment = {}) {
  auto result = parse_command_line(arguments, environment);
  if (result) return std::move(*result);
  ADD_FAILURE() << "refused: " << result.error().err;
  return {};
}

/// What is printed instead of serving; a failure of the test when the server starts.
inline Exit stopped(const Words& arguments, const Environment& environment = {}) {
  auto result = parse_command_line(arguments, environment);
  if (!result) return std::move(result.error());
  ADD_FAILURE() << "it would serve";
  return {};
}

}  // namespace rillgate::ops
