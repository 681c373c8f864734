// Trees that own the objects to which their values point.
#include "support.hpp"

namespace {

using test::counted;
using test::owner;

// Code that would let a pointer outlive its guard does not compile.
using masstree::guard;
static_assert(!std::is_constructible_v<masstree::guarded>);
static_assert(!std::is_constructible_v<masstree::guarded, std::error_code &>);
static_assert(!std::is_constructible_v<masstree::guarded, guard>);
static_assert(!std::is_constructible_v<masstree::lasting, guard>);
static_assert(std::is_constructible_v<masstree::guarded, guard &>);
static_assert(!std::is_copy_constructible_v<guard>);
static_assert(!std::is_copy_constructible_v<masstree::tree<owner>>);
static_assert(!std::is_copy_constructible_v<masstree::tree<owner>::taken_type>);
static_assert(std::is_nothrow_move_constructible_v<masstree::tree<owner>>);
static_assert(std::is_nothrow_move_assignable_v<masstree::tree<owner>>);

/** Fails if objects are destroyed too early, twice or never. */
class owned : public testing::Test {
protected:
    void SetUp() override { counted::alive = 0; }
    void TearDown() override { EXPECT_EQ(counted::alive, 0); }
};

owner make(int number)
{
    return std::make_unique<counted>(number);
}

TEST_F(owned, destroys_each_object_once)
{
    {
        masstree::tree<owner> tree;
        tree.put("a", make(1));
        tree.put("a", make(2));
        tree.put("b", make(3));
        tree.remove("b");
        tree.put("c", make(4));
        auto guard = tree.enter();
        EXPECT_EQ((*tree.get("a", guard))->number, 2);
    }
    EXPECT_EQ(counted::alive, 0);
}

TEST_F(owned, keeps_objects_that_a_guard_protects)
{
    masstree::tree<owner> tree;
    tree.put("a", make(1));
    auto guard = tree.enter();
    counted *seen = *tree.get("a", guard);
    tree.put("a", make(2));
    tree.flush();
    EXPECT_EQ(seen->number, 1);
    EXPECT_EQ(counted::alive, 2);
    guard.leave();
    tree.flush();
    tree.barrier();
    EXPECT_EQ(counted::alive, 1);
}

TEST_F(owned, a_refreshed_guard_releases_and_protects_again)
{
    masstree::tree<owner> tree;
    tree.put("a", make(1));
    auto guard = tree.enter();
    tree.put("a", make(2), guard);
    tree.flush(guard);
    EXPECT_EQ(counted::alive, 2);
    guard.refresh();
    EXPECT_EQ(counted::alive, 1);
    EXPECT_EQ(tree.stats().guards, 1u);

    counted *seen = *tree.get("a", guard);
    tree.remove("a");
    tree.flush();
    EXPECT_EQ(seen->number, 2);
}

TEST_F(owned, leaves_values_that_were_not_stored_with_the_caller)
{
    masstree::tree<owner> tree;
    auto first = make(1), second = make(2);
    EXPECT_TRUE(tree.insert("a", std::move(first)));
    EXPECT_EQ(first, nullptr);
    EXPECT_FALSE(tree.insert("a", std::move(second)));
    ASSERT_NE(second, nullptr);
    EXPECT_FALSE(tree.replace("b", std::move(second)));
    ASSERT_NE(second, nullptr);
    std::error_code code;
    masstree::tree<owner> gone = std::move(tree);
    tree.put("a", std::move(second), code);
    EXPECT_EQ(code, masstree::errc::invalid);
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(second->number, 2);
    EXPECT_TRUE(gone.replace("a", std::move(second)));
    EXPECT_EQ(second, nullptr);
}

TEST_F(owned, returns_the_object_inserted_first)
{
    masstree::tree<owner> tree;
    auto guard = tree.enter();
    auto mine = make(1), late = make(2);
    auto first = tree.get_or_insert("a", std::move(mine), guard);
    EXPECT_TRUE(first->inserted);
    EXPECT_EQ(mine, nullptr);
    auto second = tree.get_or_insert("a", std::move(late), guard);
    EXPECT_FALSE(second->inserted);
    EXPECT_EQ(second->value, first->value);
    EXPECT_NE(late, nullptr);
    auto third = tree.get_or_insert_with("b", [] { return make(3); }, guard);
    EXPECT_EQ(third->value->number, 3);
}

TEST_F(owned, a_taken_object_outlives_its_readers)
{
    masstree::tree<owner> tree;
    tree.put("a", make(1));
    auto guard = tree.enter();
    counted *seen = *tree.get("a", guard);
    {
        auto taken = tree.take("a");
        ASSERT_TRUE(taken);
        EXPECT_EQ((*taken)->number, 1);
        EXPECT_FALSE(tree.contains("a"));
    }
    tree.flush();
    EXPECT_EQ(seen->number, 1);

    auto old = tree.exchange("a", make(2));
    EXPECT_FALSE(old);
    old = tree.exchange("a", make(3));
    EXPECT_EQ(old->get()->number, 2);
    old = tree.exchange_if_present("a", make(4));
    EXPECT_EQ(old->get()->number, 3);
    delete old->release();
    EXPECT_EQ(counted::alive, 3); // 1 and 2 in limbo, 4 in the tree
}

TEST_F(owned, compares_pointers)
{
    masstree::tree<owner> tree;
    tree.put("a", make(1));
    auto guard = tree.enter();
    counted *seen = *tree.get("a", guard);
    auto fresh = make(2);
    EXPECT_EQ(tree.compare_exchange("a", nullptr, std::move(fresh)).outcome,
              masstree::outcome::mismatch);
    ASSERT_NE(fresh, nullptr);
    EXPECT_TRUE(tree.compare_exchange("a", seen, std::move(fresh)));
    EXPECT_EQ(fresh, nullptr);
    EXPECT_EQ(tree.remove_if_equal("a", seen).outcome, masstree::outcome::mismatch);
    EXPECT_TRUE(tree.remove_if_equal("a", *tree.get("a", guard)));
    EXPECT_EQ(seen->number, 1);
}

TEST_F(owned, updates_hand_objects_over)
{
    masstree::tree<owner> tree;
    const auto grow = [](std::optional<counted *> present) -> masstree::change<owner> {
        if (!present)
            return make(1);
        if ((*present)->number == 3)
            return masstree::remove_key;
        return make((*present)->number + 1);
    };
    auto guard = tree.enter();
    for (int expected : {1, 2, 3}) {
        tree.update("a", grow);
        EXPECT_EQ((*tree.get("a", guard))->number, expected);
    }
    tree.update("a", grow);
    EXPECT_FALSE(tree.contains("a"));
}

TEST_F(owned, shows_objects_in_scans_and_views)
{
    masstree::tree<owner, int> tree;
    for (int i = 0; i < 40; ++i)
        tree.put(i, make(2 * i));
    int sum = 0;
    tree.scan({}, [&](int key, counted *value) { sum += value->number - 2 * key + 1; });
    EXPECT_EQ(sum, 40);
    for (auto [key, value] : tree.items())
        sum += value->number - 2 * key;
    EXPECT_EQ(sum, 40);
    auto cursor = tree.cursor();
    ASSERT_TRUE(cursor.last());
    EXPECT_EQ((*cursor.value())->number, 78);
}

TEST_F(owned, batches_release_what_was_stored)
{
    masstree::tree<owner, int> tree;
    tree.put(2, make(20));
    const std::vector<int> keys{1, 2, 3};
    std::vector<owner> values;
    for (int i : keys)
        values.push_back(make(i));
    EXPECT_EQ(tree.insert_many(keys, values), 2u);
    EXPECT_EQ(values[0], nullptr);
    ASSERT_NE(values[1], nullptr);
    EXPECT_EQ(values[2], nullptr);

    auto guard = tree.enter();
    auto seen = tree.get_many(keys, guard);
    EXPECT_EQ((*seen[1])->number, 20);
    values[0] = make(10);
    values[2] = make(30);
    EXPECT_EQ(tree.put_many(keys, values), 3u);
    EXPECT_EQ(std::count(values.begin(), values.end(), nullptr), 3);
    EXPECT_EQ((*seen[1])->number, 20);

    std::vector<std::optional<masstree::taken<counted, std::default_delete<counted>>>> taken;
    tree.take_many(std::vector<int>{2, 9}, std::back_inserter(taken));
    ASSERT_EQ(taken.size(), 2u);
    EXPECT_EQ(taken[0]->get()->number, 2);
    EXPECT_FALSE(taken[1]);

    std::vector<owner> loaded;
    loaded.push_back(make(7));
    EXPECT_FALSE(tree.bulk_load(std::vector<int>{7}, loaded));
    EXPECT_NE(loaded[0], nullptr);
    masstree::tree<owner, int> empty;
    EXPECT_TRUE(empty.bulk_load(std::vector<int>{7}, loaded));
    EXPECT_EQ(loaded[0], nullptr);
}

TEST_F(owned, uses_the_deleter_it_was_given)
{
    struct remembering {
        std::vector<int> *numbers;
        void operator()(counted *object) const
        {
            numbers->push_back(object->number);
            delete object;
        }
    };
    using pointer = std::unique_ptr<counted, remembering>;
    std::vector<int> destroyed;
    const remembering deleter{&destroyed};
    {
        masstree::tree<pointer> tree({}, deleter);
        tree.put("a", pointer(new counted(1), deleter));
        tree.put("b", pointer(new counted(2), deleter));
        tree.put("c", pointer(nullptr, deleter));
        auto taken = tree.take("a");
        masstree::tree<pointer> moved = std::move(tree);
        taken.reset();
    }
    std::sort(destroyed.begin(), destroyed.end());
    EXPECT_EQ(destroyed, (std::vector<int>{1, 2}));
}

TEST_F(owned, retires_objects_that_values_refer_to)
{
    masstree::tree<int> tree;
    auto guard = tree.enter();
    auto object = make(1);
    counted *seen = object.get();
    tree.retire(std::move(object));
    EXPECT_EQ(object, nullptr);
    tree.flush();
    EXPECT_EQ(seen->number, 1);
    guard.leave();
}

TEST_F(owned, readers_never_see_a_destroyed_object)
{
    masstree::tree<owner, int> tree;
    tree.put(0, make(0));
    std::atomic<bool> stopped{false};
    std::thread reader([&] {
        auto guard = tree.enter();
        while (!stopped) {
            EXPECT_GE((*tree.get(0, guard))->number, 0);
            guard.refresh();
        }
    });
    {
        struct stop {
            std::atomic<bool> &flag;
            ~stop() { flag = true; }
        } at_the_end{stopped};
        for (int i = 1; i < 5000; ++i)
            tree.put(0, make(i));
    }
    reader.join();
}

} // namespace
