// The front end's files, read once at start and served from memory.
#pragma once

#include <expected>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/exchange.h"

namespace rillgate::api {

class WebFiles {
 public:
  /// Reads all files below `root`, of which `index.html` is the page at `/`. FILE.br and FILE.gz are other encodings of
  /// FILE. Fails when there is no index.html, or more than kBytesMax.
  [[nodiscard]] static std::expected<WebFiles, Error> load(const std::filesystem::path& root);

  /// True: the path was a file's, and the exchange is answered. GET and HEAD only.
  [[nodiscard]] bool answered(http::Exchange& exchange) const;

 private:
  static constexpr std::uintmax_t kBytesMax = 64 << 20;

  struct File {
    std::string_view type;
    std::string tag;  // an entity tag with its quotes
    bool is_immutable = false;
    std::string plain;
    std::string gzip;    // empty: not there
    std::string brotli;  // empty: not there
  };
  std::map<std::string, File, std::less<>> files_;  // by path, with the slash in front
};

}  // namespace rillgate::api
