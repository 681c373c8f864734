// Observations, and their validation.
#include "support.hpp"

namespace {

template <class Tree> void write(Tree &tree, int key, masstree::context with = {})
{
    if constexpr (std::is_same_v<Tree, masstree::tree<int, int>>)
        tree.put(key, 1, with);
    else
        tree.put(key, "one", with);
}

template <class Tree> class observed : public testing::Test {
public:
    Tree the_tree;
    masstree::observations the_set;
};
using observed_trees = testing::Types<masstree::tree<int, int>, masstree::basic_bytes_tree<int>>;
TYPED_TEST_SUITE(observed, observed_trees, );

TYPED_TEST(observed, absent_key_is_proved_until_it_comes)
{
    auto &tree = this->the_tree;
    auto &seen = this->the_set;
    const masstree::guard guard = tree.enter();
    write(tree, 1);
    EXPECT_TRUE(tree.observed(seen).get(1, guard));
    EXPECT_FALSE(tree.observed(seen).get(2, guard));
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_TRUE(tree.validate(seen));
    write(tree, 1);
    EXPECT_TRUE(tree.validate(seen));
    EXPECT_EQ(tree.leaf_version(seen.data()->leaf), seen.data()->version);
    write(tree, 2);
    std::size_t first_changed = 99;
    std::error_code code;
    EXPECT_FALSE(tree.validate(seen, code, &first_changed));
    EXPECT_FALSE(code);
    EXPECT_EQ(first_changed, 0u);
    EXPECT_NE(tree.leaf_version(seen.data()->leaf), seen.data()->version);
}

TYPED_TEST(observed, range_is_proved_in_both_directions)
{
    auto &tree = this->the_tree;
    auto &seen = this->the_set;
    for (int key = 0; key < 300; key += 10)
        write(tree, key);
    const auto keys = masstree::range<int>{}.from(100).before(200);
    for (const auto &range : {keys, keys.reversed()}) {
        seen.clear();
        EXPECT_EQ(tree.observed(seen).scan(range, [](int, auto) {}), 10u);
        EXPECT_FALSE(seen.empty());
        EXPECT_TRUE(tree.validate(seen));
        write(tree, 155);
        EXPECT_FALSE(tree.validate(seen));
        EXPECT_TRUE(tree.remove(155));
    }
}

TYPED_TEST(observed, own_writes_are_applied_and_those_of_others_found)
{
    auto &tree = this->the_tree;
    auto &seen = this->the_set;
    const masstree::guard guard = tree.enter();
    EXPECT_EQ(tree.observed(seen).scan({}, [](int, auto) {}), 0u);
    {
        masstree::recording writes(guard);
        for (int key = 0; key < 300; ++key) {
            write(tree, key, guard);
            ASSERT_TRUE(seen.apply(writes));
        }
        EXPECT_GT(seen.size(), 10u);
        EXPECT_TRUE(tree.validate(seen));
        EXPECT_TRUE(tree.remove(7));
        write(tree, 7, guard);
        EXPECT_FALSE(seen.apply(writes));
        EXPECT_FALSE(tree.validate(seen));
    }
    // Nothing is recorded in a destroyed object.
    write(tree, 1000, guard);
}

TYPED_TEST(observed, leaves_without_room_are_a_mismatch)
{
    auto &tree = this->the_tree;
    auto &seen = this->the_set;
    const masstree::guard guard = tree.enter();
    EXPECT_FALSE(tree.observed(seen).get(0, guard));
    masstree::recording writes(guard, 0);
    bool applied = true;
    for (int key = 0; applied && key < 100; ++key) {
        write(tree, key, guard);
        applied = seen.apply(writes);
    }
    EXPECT_FALSE(applied);
    EXPECT_EQ(seen.size(), 1u);
    EXPECT_EQ(writes.delta().created_count, 1u);
}

TYPED_TEST(observed, cursor_shows_what_its_steps_have_read)
{
    auto &tree = this->the_tree;
    auto &seen = this->the_set;
    write(tree, 10);
    write(tree, 20);
    auto cursor = tree.cursor();
    cursor.track();
    ASSERT_TRUE(cursor.seek(10));
    cursor.observations(seen);
    ASSERT_TRUE(cursor.next());
    cursor.observations(seen);
    EXPECT_FALSE(cursor.next());
    cursor.observations(seen);
    EXPECT_GE(seen.size(), 3u);
    EXPECT_TRUE(tree.validate(seen));
    write(tree, 30);
    EXPECT_FALSE(tree.validate(seen));
}

TYPED_TEST(observed, visitors_of_leaves_may_stop)
{
    for (int key = 0; key < 100; ++key)
        write(this->the_tree, key);
    int leaves = 0;
    auto stop = [&](const masstree::observation &leaf) {
        EXPECT_NE(leaf.leaf, 0u);
        return ++leaves == 2 ? masstree::flow::stop : masstree::flow::go_on;
    };
    const std::size_t visited = this->the_tree.observed(stop).scan({}, [](int, auto) {});
    EXPECT_EQ(leaves, 2);
    EXPECT_GT(visited, 0u);
    EXPECT_LE(visited, 15u);
}

TEST(observed_words, owned_values_and_keys_of_bytes_work_too)
{
    masstree::tree<test::owner> tree;
    masstree::observations seen;
    tree.put("k", std::make_unique<test::counted>(7));
    const masstree::guard guard = tree.enter();
    EXPECT_EQ((*tree.observed(seen).get("k", guard))->number, 7);
    EXPECT_EQ(tree.observed(seen).scan({}, [](std::string_view, test::counted *) {}, guard), 1u);
    EXPECT_TRUE(tree.validate(seen));
}

TEST(observed_words, errors_are_reported)
{
    masstree::tree<int> tree;
    masstree::observations seen;
    masstree::tree<int> moved = std::move(tree);
    std::error_code code;
    EXPECT_FALSE(tree.observed(seen).get("k", code));
    EXPECT_EQ(code, masstree::errc::invalid);
    EXPECT_TRUE(seen.empty());
    EXPECT_FALSE(tree.validate(seen, code));
    EXPECT_EQ(code, masstree::errc::invalid);
    EXPECT_EQ(tree.leaf_version(64, code), 0u);
    EXPECT_EQ(code, masstree::errc::invalid);
    const masstree::guard empty;
    masstree::recording none(empty, 1, code);
    EXPECT_EQ(code, masstree::errc::invalid);
    masstree::tree<int>::cursor_type cursor;
    cursor.track(code);
    EXPECT_EQ(code, masstree::errc::invalid);
    cursor.observations(seen, code);
    EXPECT_EQ(code, masstree::errc::invalid);
}

#if MASSTREE_HAS_EXCEPTIONS
TEST(observed_words, exceptions_of_both_visitors_come_out)
{
    masstree::tree<int> tree;
    tree.put("k", 1);
    auto fail = [](const masstree::observation &) { throw std::runtime_error("leaf"); };
    masstree::observations seen;
    EXPECT_THROW(tree.observed(fail).scan({}, [](std::string_view, int) {}), std::runtime_error);
    EXPECT_THROW(static_cast<void>(tree.observed(fail).get("k")), std::runtime_error);
    EXPECT_THROW(tree.observed(seen).scan(
                     {}, [](std::string_view, int) { throw std::runtime_error("key"); }),
                 std::runtime_error);
    EXPECT_EQ(seen.size(), 1u);
}
#endif

} // namespace
