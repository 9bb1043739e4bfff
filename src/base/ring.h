// A first-in-first-out queue in one growing block: no memory at all while it has never held anything, index access
// (so it can be searched by bisection), and amortised constant push and pop. std::deque keeps about 600 bytes even
// when it is empty, which ten thousand idle users would pay for.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace rillgate {

/// T is default-constructible and movable; a popped slot is reset to T{}, so it holds on to nothing.
template <class T>
class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

  T& operator[](std::size_t index) {
    assert(index < size_);
    return slots_[(first_ + index) & (capacity_ - 1)];
  }
  const T& operator[](std::size_t index) const {
    assert(index < size_);
    return slots_[(first_ + index) & (capacity_ - 1)];
  }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == capacity_) resize(capacity_ == 0 ? kFirstCapacity : capacity_ * 2);
    slots_[(first_ + size_) & (capacity_ - 1)] = std::move(value);
    ++size_;
  }
  T pop_front() {
    T value = std::exchange(front(), T{});
    first_ = (first_ + 1) & (capacity_ - 1);
    --size_;
    // A burst must not keep its memory for ever; a quarter leaves room before the next growth.
    if (size_ == 0) {
      clear();
    } else if (capacity_ > kSmallCapacity && size_ <= capacity_ / 4) {
      resize(capacity_ / 2);
    }
    return value;
  }
  /// Empties the queue and gives its memory back.
  void clear() {
    slots_.reset();
    capacity_ = first_ = size_ = 0;
  }
  [[nodiscard]] std::size_t memory_bytes() const { return capacity_ * sizeof(T); }

 private:
  static constexpr std::uint32_t kFirstCapacity = 4;
  static constexpr std::uint32_t kSmallCapacity = 16;  // not worth a smaller block

  void resize(std::uint32_t capacity) {
    auto slots = std::make_unique<T[]>(capacity);
    for (std::uint32_t i = 0; i < size_; ++i) slots[i] = std::move((*this)[i]);
    slots_ = std::move(slots);
    capacity_ = capacity;
    first_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  std::uint32_t capacity_ = 0;  // a power of two, or 0
  std::uint32_t first_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace rillgate
