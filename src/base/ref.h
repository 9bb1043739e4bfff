// A pointer that shares an object which counts its own holders: 8 bytes, and one allocation for object and count.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace rillgate {

/// T offers `void retain() const noexcept` and `void release() const noexcept`; the last release destroys it.
template <class T>
class Ref {
 public:
  Ref() = default;
  /// Takes over one count that the caller holds.
  static Ref adopt(T* object) {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  Ref(const Ref& other) : object_(other.object_) {
    if (object_ != nullptr) object_->retain();
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->release();
  }

  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  [[nodiscard]] T* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

}  // namespace rillgate
