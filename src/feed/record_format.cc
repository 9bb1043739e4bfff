#include "feed/record_format.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>

#include "base/names.h"
#include "base/text.h"

namespace rillgate::feed {
namespace {

constexpr std::string_view kPrefix = "prefix";
constexpr std::string_view kKey = "key";
constexpr const char* kTypeHeader = "event";

bool is_pointer(std::string_view text) {
  return text.starts_with('/');
}

std::unexpected<BadRecord> bad(Unreadable why, std::string what) {
  return std::unexpected(BadRecord{why, std::move(what)});
}

}  // namespace

std::string_view label(Unreadable why) {
  switch (why) {
    case Unreadable::kNoValue:
      return "no_value";
    case Unreadable::kNoKey:
      return "no_key";
    case Unreadable::kNoColon:
      return "no_colon";
    case Unreadable::kBadUser:
      return "bad_user";
    case Unreadable::kBadType:
      return "bad_type";
    case Unreadable::kNotUtf8:
      return "not_utf8";
    case Unreadable::kTooLarge:
      return "too_large";
    case Unreadable::kNotJson:
      return "not_json";
    case Unreadable::kNoMember:
      return "no_member";
    case Unreadable::kBadUpdate:
      return "bad_update";
    case Unreadable::kRefusedUpdate:
      return "refused_update";
  }
  return {};
}

/// A value that is JSON, and what pointers lead to in it.
class RecordParser::Json {
 public:
  bool parse(std::string_view text) {
    boost::json::error_code error;
    used_ = 0;
    value_ = boost::json::parse({text.data(), text.size()}, error);
    return !error;
  }

  std::optional<std::string_view> text_at(std::string_view pointer) {
    const boost::json::value* const found = find(pointer);
    if (found == nullptr) return std::nullopt;
    if (found->is_string()) return std::string_view(found->get_string().data(), found->get_string().size());
    std::string& text = texts_[used_++];
    text = boost::json::serialize(*found);
    return text;
  }

  /// Whether a name can stand there.
  [[nodiscard]] bool is_name_at(std::string_view pointer) const {
    const boost::json::value* const found = find(pointer);
    return found != nullptr && (found->is_string() || found->is_int64() || found->is_uint64());
  }

 private:
  [[nodiscard]] const boost::json::value* find(std::string_view pointer) const {
    boost::json::error_code error;
    return value_.find_pointer({pointer.data(), pointer.size()}, error);
  }

  boost::json::value value_;
  std::array<std::string, 3> texts_;  // user, data, type
  std::size_t used_ = 0;
};

RecordParser::RecordParser(RecordFormat format)
    : format_(std::move(format)),
      needs_json_(is_pointer(format_.user) || is_pointer(format_.data) || is_pointer(format_.event)),
      json_(std::make_unique<Json>()) {}

RecordParser::~RecordParser() = default;

std::expected<UserEvent, BadRecord> RecordParser::parse(const kafka::Record& record) {
  if (!record.value) return bad(Unreadable::kNoValue, "the record has no value");
  UserEvent event{.user = {}, .text = {.type = format_.event, .data = *record.value}};
  if (format_.user == kPrefix) {
    const std::size_t colon = record.value->find(':');
    if (colon == std::string_view::npos) {
      return bad(Unreadable::kNoColon, "the value has no colon; it is to be USERNAME:MESSAGE");
    }
    event.user = record.value->substr(0, colon);
    event.text.data = record.value->substr(colon + 1);
  } else if (format_.user == kKey) {
    if (!record.key) return bad(Unreadable::kNoKey, "the record has no key, which is to be the username");
    event.user = *record.key;
  }
  if (needs_json_) {
    if (!json_->parse(*record.value)) return bad(Unreadable::kNotJson, "the value is not JSON");
    const auto take = [&](std::string_view pointer, std::string_view& part) {
      if (!is_pointer(pointer)) return true;
      const auto found = json_->text_at(pointer);
      if (found) part = *found;
      return found.has_value();
    };
    if (!take(format_.user, event.user)) {
      return bad(Unreadable::kNoMember,
                 fmt::format("there is nothing at {}, where the username is to be", format_.user));
    }
    if (is_pointer(format_.user) && !json_->is_name_at(format_.user)) {
      return bad(Unreadable::kBadUser,
                 fmt::format("what stands at {} is no username: no text and no whole number", format_.user));
    }
    if (!take(format_.data, event.text.data)) {
      return bad(Unreadable::kNoMember,
                 fmt::format("there is nothing at {}, where the message is to be", format_.data));
    }
    if (!take(format_.event, event.text.type)) event.text.type = {};  // an event without a type is one, too
  }
  if (format_.event.empty()) event.text.type = record.header(kTypeHeader).value_or("");
  if (event.text.data.size() > format_.data_bytes_max) {
    return bad(Unreadable::kTooLarge, fmt::format("the message has {} bytes; limits.body allows {}",
                                                  event.text.data.size(), format_.data_bytes_max));
  }
  if (auto error = check_user(event.user)) return bad(Unreadable::kBadUser, std::move(error->what));
  if (!is_utf8(event.text.data)) return bad(Unreadable::kNotUtf8, "the message is not UTF-8");
  if (!event.text.type.empty()) {
    if (auto error = check_event_type(event.text.type)) return bad(Unreadable::kBadType, std::move(error->what));
  }
  return event;
}

}  // namespace rillgate::feed
