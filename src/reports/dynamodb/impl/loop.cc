#include "reports/dynamodb/impl/loop.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace rillgate::reports::dynamodb {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

HeaderList header_list(const std::vector<std::string>& headers) {
  HeaderList list;
  for (const std::string& header : headers) {
    curl_slist* const longer = curl_slist_append(list.release(), header.c_str());
    if (longer == nullptr) std::abort();  // out of memory
    list.reset(longer);
  }
  return list;
}

}  // namespace

/// A handle of libcurl's with what it points to; used again and again.
struct Loop::Transfer {
  struct Cleanup {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  };
  std::unique_ptr<CURL, Cleanup> easy{curl_easy_init()};
  HeaderList headers;
  Fetch* fetch = nullptr;

  template <class Value>
  void set(CURLoption option, Value value) {
    // What can fail here is memory, and options that this libcurl does not have, which CMake has seen to.
    if (curl_easy_setopt(easy.get(), option, value) != CURLE_OK) std::abort();
  }
  void prepare(Fetch& its_fetch, SteadyTime now);
  static std::size_t take(char* data, std::size_t size, std::size_t count, void* self);
};

void Loop::Transfer::prepare(Fetch& its_fetch, SteadyTime now) {
  fetch = &its_fetch;
  const HttpRequest& request = fetch->request_;
  curl_easy_reset(easy.get());  // keeps the connections
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  // What is not encrypted is on this machine or its link: DynamoDB Local, a container's credentials.
  if (request.url.starts_with("http:")) set(CURLOPT_NOPROXY, "*");
  headers = header_list(request.headers);
  set(CURLOPT_HTTPHEADER, headers.get());
  if (request.body) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
    set(CURLOPT_POSTFIELDS, request.body->c_str());
  }
  if (request.signing) {
    set(CURLOPT_AWS_SIGV4, ("aws:amz:" + request.signing->region + ":dynamodb").c_str());
    set(CURLOPT_USERNAME, request.signing->key_id.c_str());
    set(CURLOPT_PASSWORD, request.signing->secret.c_str());
  }
  const auto left = std::chrono::ceil<milliseconds>(request.deadline - now);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kConnectTime.count()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::clamp(left, milliseconds(1), kTransferTime).count()));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_WRITEFUNCTION, &Transfer::take);
  set(CURLOPT_WRITEDATA, this);
}

std::size_t Loop::Transfer::take(char* data, std::size_t size, std::size_t count, void* self) {
  std::string& body = static_cast<Transfer*>(self)->fetch->answer_.body;
  if (body.size() + size * count > kAnswerBytesMax) return 0;  // ends the transfer
  body.append(data, size * count);
  return size * count;
}

Loop::Loop() {
  curl_global_init(CURL_GLOBAL_DEFAULT);  // counted, and safe on any thread since libcurl 7.84
  multi_.reset(curl_multi_init());
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(kTransfersMax));
}

Loop::~Loop() {
  transfers_.clear();
  multi_.reset();
  curl_global_cleanup();
}

void Loop::post(std::move_only_function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    mail_.push_back(std::move(job));
    if (mail_.size() > 1) return;  // whoever made it 1 has woken the loop
  }
  curl_multi_wakeup(multi_.get());
}

void Loop::Fetch::await_suspend(std::coroutine_handle<> waiting) {
  waiting_ = waiting;
  loop_.waiting_.push_back(this);
}

void Loop::run(const std::function<bool()>& is_over) {
  for (;;) {
    read_mail();
    end_pauses();
    begin_transfers();
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    end_transfers();
    if (is_over()) return;
    const bool can_begin = !free_.empty() || transfers_.size() < kTransfersMax;
    if (waiting_.empty() || !can_begin) curl_multi_poll(multi_.get(), nullptr, 0, wait_ms(), nullptr);
  }
}

void Loop::read_mail() {
  std::vector<std::move_only_function<void()>> mail;
  {
    const std::lock_guard lock(mutex_);
    mail.swap(mail_);
  }
  for (auto& job : mail) job();
}

void Loop::end_pauses() {
  const SteadyTime now = steady_clock::now();
  while (!pauses_.empty() && pauses_.begin()->first <= now) {
    const std::coroutine_handle<> waiting = pauses_.begin()->second;
    pauses_.erase(pauses_.begin());
    waiting.resume();
  }
}

void Loop::answer_late(Fetch& fetch) {
  fetch.answer_.failure = "it is too slow for what is asked of it";
  fetch.waiting_.resume();
}

void Loop::begin_transfers() {
  const SteadyTime now = steady_clock::now();
  while (!waiting_.empty()) {
    Fetch& fetch = *waiting_.front();
    const bool is_late = fetch.request_.deadline <= now;
    if (!is_late && free_.empty() && transfers_.size() == kTransfersMax) return;
    waiting_.pop_front();
    if (is_late) {
      answer_late(fetch);
    } else {
      begin(fetch);
    }
  }
}

void Loop::begin(Fetch& fetch) {
  if (free_.empty()) {
    transfers_.push_back(std::make_unique<Transfer>());
    free_.push_back(transfers_.back().get());
  }
  Transfer& transfer = *free_.back();
  free_.pop_back();
  transfer.prepare(fetch, steady_clock::now());
  curl_multi_add_handle(multi_.get(), transfer.easy.get());
}

void Loop::end_transfers() {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
    const CURLcode code = message->data.result;  // `message` dies with the removal
    CURL* const easy = message->easy_handle;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    HttpAnswer& answer = transfer->fetch->answer_;
    if (code == CURLE_OK) {
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
    } else {
      answer.failure = curl_easy_strerror(code);
    }
    curl_multi_remove_handle(multi_.get(), easy);
    free_.push_back(transfer);
    std::exchange(transfer->fetch, nullptr)->waiting_.resume();
  }
}

int Loop::wait_ms() const {
  constexpr milliseconds kWaitMax{1'000};
  if (pauses_.empty()) return static_cast<int>(kWaitMax.count());
  const auto left = std::chrono::ceil<milliseconds>(pauses_.begin()->first - steady_clock::now());
  return static_cast<int>(std::clamp(left, milliseconds(0), kWaitMax).count());
}

}  // namespace rillgate::reports::dynamodb
