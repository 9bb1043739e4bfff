#include "api/web.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <iterator>

#include "base/text.h"

namespace rillgate::api {
namespace {

/// Names below this folder hold a hash of their content, so what a browser has of them stays right for ever.
constexpr std::string_view kHashedFolder = "/assets/";

std::string_view type_of(std::string_view path) {
  struct Type {
    std::string_view ending;
    std::string_view type;
  };
  static constexpr std::array kTypes{Type{".html", "text/html; charset=utf-8"},
                                     Type{".js", "text/javascript; charset=utf-8"},
                                     Type{".css", "text/css; charset=utf-8"},
                                     Type{".svg", "image/svg+xml"},
                                     Type{".json", "application/json"},
                                     Type{".png", "image/png"},
                                     Type{".ico", "image/x-icon"},
                                     Type{".webmanifest", "application/manifest+json"},
                                     Type{".woff2", "font/woff2"},
                                     Type{".txt", "text/plain; charset=utf-8"}};
  const auto* const found = std::ranges::find_if(kTypes, [&](const Type& type) { return path.ends_with(type.ending); });
  return found == kTypes.end() ? "application/octet-stream" : found->type;
}

/// RFC 9110, section 12.5.3, as far as browsers use it.
bool accepts_encoding(const http::Request& request, std::string_view coding) {
  std::string_view list = request.field("Accept-Encoding").value_or("");
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view item = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    if (!equals_ignoring_case(trimmed(item.substr(0, semicolon)), coding)) continue;
    const std::string_view weight = trimmed(item.substr(std::min(semicolon + 1, item.size())));
    return !weight.starts_with("q=") || weight.find_first_not_of("0.", 2) != std::string_view::npos;
  }
  return false;
}

}  // namespace

std::expected<WebFiles, Error> WebFiles::load(const std::filesystem::path& root) {
  WebFiles web;
  std::map<std::string, std::string> contents;
  std::uintmax_t bytes = 0;
  std::error_code error;
  for (auto entry = std::filesystem::recursive_directory_iterator(root, error);
       !error && entry != std::filesystem::recursive_directory_iterator(); entry.increment(error)) {
    if (!entry->is_regular_file()) continue;
    bytes += entry->file_size();
    if (bytes > kBytesMax) {
      return std::unexpected(Error{fmt::format(
          "web.root {} holds more than {} bytes; it is meant for a built front end", root.string(), kBytesMax)});
    }
    std::ifstream file(entry->path(), std::ios::binary);
    contents["/" + entry->path().lexically_relative(root).generic_string()] = {std::istreambuf_iterator<char>(file),
                                                                               {}};
  }
  if (error) {
    return std::unexpected(Error{fmt::format("web.root {} can't be read: {}", root.string(), error.message())});
  }
  if (!contents.contains("/index.html")) {
    return std::unexpected(
        Error{fmt::format("web.root {} has no index.html; build the front end first", root.string())});
  }
  const auto take = [&](const std::string& path) {
    const auto found = contents.find(path);
    return found == contents.end() ? std::string{} : std::move(found->second);
  };
  for (const auto& [path, content] : contents) {
    if (path.ends_with(".br") || path.ends_with(".gz")) continue;
    File file{.type = type_of(path),
              .tag = fmt::format("\"{:016x}\"", std::hash<std::string_view>{}(content)),
              .is_immutable = path.starts_with(kHashedFolder),
              .plain = content,
              .gzip = take(path + ".gz"),
              .brotli = take(path + ".br")};
    web.files_.emplace(path == "/index.html" ? "/" : path, std::move(file));
  }
  return web;
}

bool WebFiles::answered(http::Exchange& exchange) const {
  const http::Request& request = exchange.request();
  const auto found = files_.find(request.path);
  if (found == files_.end() || (request.method != "GET" && request.method != "HEAD")) return false;
  const File& file = found->second;
  http::Response response{.content_type = file.type};
  response.field("ETag", file.tag)
      .field("Vary", "Accept-Encoding")
      .field("Cache-Control", file.is_immutable ? "public, max-age=31536000, immutable" : "no-cache")
      .field("X-Content-Type-Options", "nosniff")
      .field("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'");
  if (request.field("If-None-Match").value_or("").contains(file.tag)) {
    response.status = 304;
  } else if (!file.brotli.empty() && accepts_encoding(request, "br")) {
    response.field("Content-Encoding", "br");
    response.body = file.brotli;
  } else if (!file.gzip.empty() && accepts_encoding(request, "gzip")) {
    response.field("Content-Encoding", "gzip");
    response.body = file.gzip;
  } else {
    response.body = file.plain;
  }
  exchange.respond(std::move(response));
  return true;
}

}  // namespace rillgate::api
