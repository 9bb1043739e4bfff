#include "base/list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <list>
#include <memory>
#include <optional>
#include <vector>

namespace rillgate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Left;
struct Right;

struct Item : ListHook<Left>, ListHook<Right> {
  explicit Item(int its_number) : number(its_number) {}
  int number;
};

template <class Tag>
std::vector<int> numbers(List<Item, Tag>& list) {
  std::vector<int> result;
  for (const Item& item : list) result.push_back(item.number);
  return result;
}

TEST(List, KeepsTheOrderInWhichElementsJoined) {
  Item one(1), two(2), three(3);
  List<Item, Left> list;
  EXPECT_TRUE(list.empty());
  for (Item* item : {&two, &one, &three}) list.push_back(*item);
  EXPECT_THAT(numbers(list), ElementsAre(2, 1, 3));
  EXPECT_EQ(&list.front(), &two);
  EXPECT_EQ(&list.pop_front(), &two);
  EXPECT_THAT(numbers(list), ElementsAre(1, 3));
  EXPECT_FALSE(two.ListHook<Left>::linked());
}

TEST(List, AnElementLeavesFromTheMiddleKnowingOnlyItself) {
  Item one(1), two(2), three(3);
  List<Item, Left> list;
  for (Item* item : {&one, &two, &three}) list.push_back(*item);
  two.ListHook<Left>::unlink();
  EXPECT_THAT(numbers(list), ElementsAre(1, 3));
  two.ListHook<Left>::unlink();  // leaving twice is nothing
  EXPECT_THAT(numbers(list), ElementsAre(1, 3));
}

TEST(List, AnElementThatDiesHasLeft) {
  Item one(1);
  List<Item, Left> list;
  list.push_back(one);
  {
    Item two(2);
    list.push_back(two);
  }
  EXPECT_THAT(numbers(list), ElementsAre(1));
}

TEST(List, AListThatDiesLeavesItsElementsFree) {
  Item one(1);
  {
    List<Item, Left> list;
    list.push_back(one);
  }
  EXPECT_FALSE(one.ListHook<Left>::linked());
  List<Item, Left> other;
  other.push_back(one);
  EXPECT_THAT(numbers(other), ElementsAre(1));
}

TEST(List, AnElementCanBeInOneListOfEachTag) {
  Item one(1), two(2);
  List<Item, Left> left;
  List<Item, Right> right;
  for (Item* item : {&one, &two}) left.push_back(*item);
  for (Item* item : {&two, &one}) right.push_back(*item);
  EXPECT_THAT(numbers(left), ElementsAre(1, 2));
  EXPECT_THAT(numbers(right), ElementsAre(2, 1));
  one.ListHook<Left>::unlink();
  EXPECT_THAT(numbers(left), ElementsAre(2));
  EXPECT_THAT(numbers(right), ElementsAre(2, 1));
}

TEST(List, SplicingMovesAllToTheEnd) {
  Item one(1), two(2), three(3);
  List<Item, Left> from, to;
  to.push_back(one);
  for (Item* item : {&two, &three}) from.push_back(*item);
  to.splice_back(from);
  EXPECT_THAT(numbers(to), ElementsAre(1, 2, 3));
  EXPECT_THAT(numbers(from), IsEmpty());
  to.splice_back(from);
  EXPECT_THAT(numbers(to), ElementsAre(1, 2, 3));
}

TEST(List, AnElementMayLeaveOnceTheIteratorHasMovedOn) {
  Item one(1), two(2), three(3);
  List<Item, Left> list;
  for (Item* item : {&one, &two, &three}) list.push_back(*item);
  for (auto at = list.begin(); at != list.end();) {
    Item& item = *at;
    ++at;
    if (item.number != 2) item.ListHook<Left>::unlink();
  }
  EXPECT_THAT(numbers(list), ElementsAre(2));
}

RC_GTEST_PROP(List, BehavesLikeAStandardList, ()) {
  std::vector<std::unique_ptr<Item>> items;
  for (int i = 0; i < 8; ++i) items.push_back(std::make_unique<Item>(i));
  List<Item, Left> list;
  std::list<int> model;
  for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 20))) {
    if (step >= 16) {
      if (!model.empty()) {
        RC_ASSERT(list.pop_front().number == model.front());
        model.pop_front();
      }
      continue;
    }
    Item& item = *items[static_cast<std::size_t>(step % 8)];
    const bool is_in = std::ranges::find(model, item.number) != model.end();
    RC_ASSERT(item.ListHook<Left>::linked() == is_in);
    if (step < 8 && !is_in) {
      list.push_back(item);
      model.push_back(item.number);
    } else if (step >= 8) {
      item.ListHook<Left>::unlink();
      model.remove(item.number);
    }
    RC_ASSERT(numbers(list) == std::vector<int>(model.begin(), model.end()));
  }
}

}  // namespace
}  // namespace rillgate
