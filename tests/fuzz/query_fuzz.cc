// What clients choose themselves: query strings, escapes, names, ids, addresses. Nothing crashes; what decodes is read
// back when it is encoded again; and what is accepted is safe to put into a stream or a JSON answer.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/open_stream.h"
#include "api/parameters.h"
#include "base/names.h"
#include "base/text.h"
#include "http/query.h"

namespace {

using namespace rillgate;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_decoding(std::string_view text) {
  for (const auto plus : {http::Plus::kLiteral, http::Plus::kSpace}) {
    const auto decoded = http::percent_decode(text, plus);
    if (!decoded) {
      require(text.contains('%') && is_utf8(json_string(decoded.error().what)));
      continue;
    }
    require(decoded->size() <= text.size());
    require(http::percent_decode(http::percent_encode(*decoded), plus) == *decoded);
  }
}

void check_parameters(std::string_view text) {
  http::Request request;
  request.query = text;
  if (const auto user = api::stream_user(request)) {
    require(is_utf8(*user) && !has_control_characters(*user) && !user->contains(':') && *user != "*");
    require(!user->empty() && user->size() <= 256);
  }
  request.fields.push_back({"Last-Event-ID", text});
  request.fields.push_back({"Accept", text});
  if (const auto id = api::last_event_id(request)) {
    require(!*id || (!(*id)->empty() && (*id)->size() <= 1024));
    static_cast<void>(hub::IdFormat("epoch").parse(api::resume_from(*id).id));
  }
  const api::Acceptance acceptance = api::accepts_event_stream(request);
  require(acceptance.allowed || !acceptance.by_name);
  if (!rillgate::check_event_type(text))
    require(!text.starts_with("stream-") && text.find_first_of("\r\n") == text.npos);
  if (const auto address = http::PeerAddress::parse(text)) {
    require(http::PeerAddress::parse(address->text()) == *address);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_decoding(text);
  check_parameters(text);
  require(is_utf8(json_string(text)));
  return 0;
}
