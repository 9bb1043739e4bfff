// A doubly linked list whose links live in the elements: joining, leaving and counting cost no allocation, and an
// element can leave from the middle knowing only itself. It owns nothing; whoever owns an element must take it out
// before the element dies (the hook's destructor does).
#pragma once

#include <utility>

namespace rillgate {

/// What an element of a List<T, Tag> derives from, once for each list that it can be in at the same time.
template <class Tag>
class ListHook {
 public:
  ListHook() = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { unlink(); }

  [[nodiscard]] bool linked() const { return next_ != nullptr; }
  /// Leaves the list it is in, if any.
  void unlink() {
    if (!linked()) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 private:
  template <class, class>
  friend class List;
  ListHook* prev_ = nullptr;
  ListHook* next_ = nullptr;
};

/// Not thread-safe: whoever holds the list holds the lock.
template <class T, class Tag>
class List {
  using Hook = ListHook<Tag>;

 public:
  List() { root_.prev_ = root_.next_ = &root_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!empty()) root_.next_->unlink();
    root_.prev_ = root_.next_ = nullptr;
  }

  [[nodiscard]] bool empty() const { return root_.next_ == &root_; }
  [[nodiscard]] T& front() { return static_cast<T&>(*root_.next_); }
  void push_back(T& element) {
    Hook& hook = element;
    hook.prev_ = root_.prev_;
    hook.next_ = &root_;
    root_.prev_->next_ = &hook;
    root_.prev_ = &hook;
  }
  T& pop_front() {
    T& first = front();
    static_cast<Hook&>(first).unlink();
    return first;
  }
  /// Moves all elements of `other` to the end of this list; `other` is empty afterwards.
  void splice_back(List& other) {
    while (!other.empty()) push_back(other.pop_front());
  }

  class Iterator {
   public:
    explicit Iterator(Hook* at) : at_(at) {}
    T& operator*() const { return static_cast<T&>(*at_); }
    Iterator& operator++() {
      at_ = at_->next_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    Hook* at_;
  };
  /// The element that an iterator stands on must stay in the list until the iterator has moved on.
  Iterator begin() { return Iterator(root_.next_); }
  Iterator end() { return Iterator(&root_); }

 private:
  Hook root_;
};

}  // namespace rillgate
