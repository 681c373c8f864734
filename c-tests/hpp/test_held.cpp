// Held keys.
#include "support.hpp"

namespace {

TEST(held, key_is_set_kept_removed_and_let_go)
{
    masstree::tree<int> tree;
    const masstree::guard guard = tree.enter();
    {
        auto pears = tree.hold("pear", guard);
        EXPECT_TRUE(pears);
        EXPECT_FALSE(pears.value());
        EXPECT_FALSE(tree.get("pear", guard));
        pears.set(3);
        EXPECT_FALSE(pears);
    }
    EXPECT_EQ(tree.get("pear"), 3);
    {
        auto pears = tree.hold("pear", guard);
        EXPECT_EQ(pears.value(), 3);
        EXPECT_EQ(pears.exchange(4), 3);
    }
    tree.hold("pear", guard).keep();
    {
        // The destructor keeps.
        auto forgotten = tree.hold("plum", guard);
        EXPECT_TRUE(forgotten);
    }
    EXPECT_EQ(tree.hold("plum", guard).exchange(5), std::nullopt);
    EXPECT_EQ(test::shown(tree.items()), "pear=4,plum=5,");
    tree.hold("pear", guard).remove();
    EXPECT_EQ(tree.hold("plum", guard, masstree::room::none).take(), 5);
    EXPECT_EQ(tree.hold("plum", guard, masstree::room::none).take(), std::nullopt);
    EXPECT_TRUE(tree.empty());
}

TEST(held, integer_keys_may_be_temporary)
{
    masstree::tree<int, int> tree;
    const masstree::guard guard = tree.enter();
    for (int key = -100; key < 100; ++key) {
        auto place = tree.hold(key, guard);
        ASSERT_FALSE(place.value());
        place.set(key * 2);
    }
    for (int key = -100; key < 100; ++key)
        EXPECT_EQ(tree.hold(key, guard, masstree::room::none).value(), key * 2);
    EXPECT_EQ(tree.size(), 200u);
}

TEST(held, trying_holds_at_once_or_not_at_all)
{
    masstree::tree<int, int> tree;
    const masstree::guard guard = tree.enter();
    for (int key = 0; key < 15; ++key)
        tree.put(key, key);
    {
        // The leaf is full.
        auto absent = tree.try_hold(15, guard);
        EXPECT_FALSE(absent);
        EXPECT_TRUE(absent.busy());
        EXPECT_FALSE(absent.value());
    }
    EXPECT_FALSE(tree.try_hold(15, guard, masstree::room::none).busy());
    auto present = tree.try_hold(3, guard);
    EXPECT_TRUE(present);
    EXPECT_FALSE(present.busy());
    EXPECT_EQ(present.value(), 3);
    const masstree::observation next = present.next(masstree::action::remove);
    present.remove();
    EXPECT_EQ(present.next(masstree::action::keep).version, next.version);
    EXPECT_EQ(present.now().leaf, next.leaf);
    EXPECT_EQ(tree.size(), 14u);
}

TEST(held, leaf_equals_the_one_readers_see_and_will_see)
{
    masstree::tree<int> tree;
    const masstree::guard guard = tree.enter();
    masstree::observations seen;
    auto same = [](const masstree::observation &one, const masstree::observation &other) {
        return one.leaf == other.leaf && one.version == other.version;
    };
    EXPECT_FALSE(tree.observed(seen).get("a", guard));
    masstree::observation next;
    {
        auto place = tree.hold("a", guard);
        EXPECT_TRUE(same(place.original(), seen.data()[0]));
        EXPECT_TRUE(same(place.now(), seen.data()[0]));
        EXPECT_TRUE(same(place.next(masstree::action::keep), place.now()));
        EXPECT_TRUE(same(place.next(masstree::action::remove), place.now()));
        next = place.next(masstree::action::set);
        EXPECT_FALSE(same(next, place.now()));
        EXPECT_TRUE(tree.validate(seen));
        place.set(1);
    }
    EXPECT_FALSE(tree.validate(seen));
    seen.clear();
    EXPECT_TRUE(tree.observed(seen).get("a", guard));
    EXPECT_TRUE(same(seen.data()[0], next));
}

TEST(held, owned_values_are_given_or_destroyed)
{
    {
        masstree::tree<test::owner> tree;
        const masstree::guard guard = tree.enter();
        tree.hold("a", guard).set(std::make_unique<test::counted>(1));
        EXPECT_EQ((*tree.hold("a", guard).value())->number, 1);
        auto first = tree.hold("a", guard).exchange(std::make_unique<test::counted>(2));
        ASSERT_TRUE(first);
        EXPECT_EQ((*first)->number, 1);
        tree.hold("a", guard).set(std::make_unique<test::counted>(3));
        auto last = tree.hold("a", guard).take();
        ASSERT_TRUE(last);
        EXPECT_EQ((*last)->number, 3);
        EXPECT_TRUE(tree.empty());
    }
    EXPECT_EQ(test::counted::alive, 0);
}

TEST(held, after_a_refusal_the_key_stays_held_and_the_value_the_callers)
{
    {
        masstree::tree<test::owner> tree;
        const masstree::guard guard = tree.enter();
        std::error_code code;
        test::owner mine = std::make_unique<test::counted>(1);
        auto place = tree.hold("a", {guard, code}, masstree::room::none);
        EXPECT_FALSE(code);
        place.set(std::move(mine));
        EXPECT_EQ(code, masstree::errc::invalid);
        EXPECT_TRUE(place);
        ASSERT_NE(mine, nullptr);
        auto second = tree.hold("b", {guard, code});
        EXPECT_EQ(code, masstree::errc::invalid);
        EXPECT_FALSE(second);
        EXPECT_EQ(second.now().leaf, 0u);
        second.keep();
        EXPECT_EQ(code, masstree::errc::invalid);
        place.keep();
        EXPECT_FALSE(code);
        place.keep();
        EXPECT_EQ(code, masstree::errc::invalid);
#if MASSTREE_HAS_EXCEPTIONS
        auto third = tree.hold("a", guard, masstree::room::none);
        EXPECT_THROW(third.set(std::move(mine)), masstree::error);
        EXPECT_THROW(static_cast<void>(tree.hold("b", guard)), masstree::error);
        third.keep();
        EXPECT_THROW(third.keep(), masstree::error);
#endif
        EXPECT_TRUE(tree.empty());
    }
    EXPECT_EQ(test::counted::alive, 0);
}

// Put back: never set `cleared_`.
TEST(held, finishing_after_a_clear_changes_nothing)
{
    {
        masstree::tree<test::owner, int> tree;
        const masstree::guard guard = tree.enter();
        masstree::observations none;
        for (int way = 0; way < 5; ++way) {
            for (int key = 0; key < 100; ++key)
                tree.put(key, std::make_unique<test::counted>(key));
            test::owner mine = std::make_unique<test::counted>(1);
            auto place = tree.hold(50, guard);
            EXPECT_FALSE(place.cleared());
            std::thread([&] { tree.clear(); }).join();
            EXPECT_FALSE(tree.validate(none));
            switch (way) {
            case 0: EXPECT_FALSE(place.keep()); break;
            case 1: EXPECT_FALSE(place.set(std::move(mine))); break;
            case 2: EXPECT_FALSE(place.exchange(std::move(mine))); break;
            case 3: EXPECT_FALSE(place.remove()); break;
            default: EXPECT_FALSE(place.take()); break;
            }
            EXPECT_TRUE(place.cleared());
            EXPECT_FALSE(place);
            EXPECT_NE(mine, nullptr);
            EXPECT_TRUE(tree.validate(none));
            auto again = tree.hold(50, guard);
            EXPECT_FALSE(again.value());
            EXPECT_TRUE(again.set(std::move(mine)));
            EXPECT_FALSE(again.cleared());
            EXPECT_EQ(mine, nullptr);
            EXPECT_EQ(tree.size(), 1u);
        }
    }
    EXPECT_EQ(test::counted::alive, 0);
}

TEST(held, no_count_is_lost)
{
    masstree::tree<int, int> tree;
    auto count_up = [&] {
        const masstree::guard guard = tree.enter();
        for (int i = 0; i < 2000; ++i) {
            auto counter = tree.hold(i % 20, guard);
            counter.set(counter.value().value_or(0) + 1);
        }
    };
    std::thread other(count_up);
    count_up();
    other.join();
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(tree.get(i), 200);
}

} // namespace
