// Many keys at once.
#include "support.hpp"

#include <array>
#include <list>

namespace {

template <class Keys, class K> void run_batches(masstree::tree<int, K> &tree, const Keys &keys)
{
    std::vector<int> values;
    for (std::size_t i = 0; i < keys.size(); ++i)
        values.push_back(static_cast<int>(i));
    EXPECT_EQ(tree.put_many(keys, values), keys.size());
    EXPECT_EQ(tree.size(), keys.size());

    const auto found = tree.get_many(keys);
    ASSERT_EQ(found.size(), keys.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        ASSERT_EQ(found[i], values[i]);

    EXPECT_TRUE(tree.remove(*keys.begin()));
    EXPECT_EQ(tree.insert_many(keys, values), 1u);
    EXPECT_TRUE(tree.remove(*keys.begin()));
    values[0] = 77;
    values[1] = 88;
    std::list<std::optional<masstree::insertion<int>>> insertions;
    tree.get_or_insert_many(keys, values, std::back_inserter(insertions));
    ASSERT_EQ(insertions.size(), keys.size());
    EXPECT_TRUE(insertions.front()->inserted);
    EXPECT_EQ(insertions.front()->value, 77);
    EXPECT_FALSE((*std::next(insertions.begin()))->inserted);
    EXPECT_EQ((*std::next(insertions.begin()))->value, 1);

    EXPECT_TRUE(tree.remove(*keys.begin()));
    std::vector<std::optional<int>> taken(keys.size());
    EXPECT_EQ(tree.take_many(keys, taken.begin()), taken.end());
    EXPECT_EQ(taken[0], std::nullopt);
    EXPECT_EQ(taken[1], 1);
    EXPECT_EQ(tree.remove_many(keys), 0u);
    EXPECT_TRUE(tree.empty());

    EXPECT_TRUE(tree.bulk_load(keys, values));
    EXPECT_EQ(tree.get(*keys.begin()), 77);
    EXPECT_FALSE(tree.bulk_load(keys, values));
    EXPECT_EQ(tree.remove_many(keys), keys.size());
}

TEST(batch, of_keys_of_bytes)
{
    // More than one C call, and not a multiple of its size.
    std::vector<std::string> strings;
    for (int i = 0; i < 700; ++i)
        strings.push_back("key" + std::to_string(1000 + i));
    masstree::tree<int> tree;
    run_batches(tree, strings);
    run_batches(tree, std::list<std::string_view>(strings.begin(), strings.end()));
}

TEST(batch, of_integers_of_either_sign)
{
    std::vector<std::int64_t> integers;
    for (int i = -350; i < 350; ++i)
        integers.push_back(i);
    masstree::tree<int, std::int64_t> tree;
    run_batches(tree, integers);
    masstree::tree<int, unsigned> unsigned_tree;
    run_batches(unsigned_tree, std::vector<unsigned>{0, 5, 4'000'000'000});
}

TEST(batch, of_values_that_the_iterator_makes)
{
    masstree::tree<bool, int> tree;
    const std::vector<int> keys{1, 2};
    ASSERT_TRUE(tree.bulk_load(keys, std::vector<bool>{true, false}));
    EXPECT_EQ(tree.get(1), true);
    EXPECT_EQ(tree.put_many(keys, std::vector<bool>{false, true}), 2u);
    EXPECT_EQ(tree.get(1), false);
    EXPECT_EQ(tree.get(2), true);
}

TEST(batch, of_nothing)
{
    masstree::tree<int> tree;
    const std::vector<std::string> keys;
    EXPECT_EQ(tree.put_many(keys, std::vector<int>()), 0u);
    EXPECT_TRUE(tree.get_many(keys).empty());
    EXPECT_TRUE(tree.bulk_load(keys, std::vector<int>()));
}

TEST(batch, the_last_of_equal_keys_wins)
{
    masstree::tree<int> tree;
    const std::array<const char *, 3> keys{"a", "b", "a"};
    EXPECT_EQ(tree.put_many(keys, std::array<int, 3>{1, 2, 3}), 3u);
    EXPECT_EQ(tree.get("a"), 3);
    tree.clear();
    EXPECT_EQ(tree.insert_many(keys, std::array<int, 3>{1, 2, 3}), 2u);
    EXPECT_EQ(tree.get("a"), 1);
}

TEST(batch, tries_the_others_after_an_error)
{
    // The error is in the first of two C calls.
    std::vector<std::string> strings;
    for (int i = 0; i < 300; ++i)
        strings.push_back("key" + std::to_string(1000 + i));
    std::vector<std::string_view> keys(strings.begin(), strings.end());
    keys[1] = std::string_view(keys[1].data(), std::size_t{1} << 32);
    const std::vector<int> values(300, 7);
    masstree::tree<int> tree;
    std::error_code code;
    EXPECT_EQ(tree.put_many(keys, values, code), 299u);
    EXPECT_EQ(code, masstree::errc::key_too_long);
    EXPECT_EQ(tree.size(), 299u);
    code.clear();
    const auto found = tree.get_many(keys, code);
    EXPECT_EQ(code, masstree::errc::key_too_long);
    EXPECT_EQ(found[0], 7);
    EXPECT_EQ(found[1], std::nullopt);
    EXPECT_EQ(found[299], 7);
    masstree::tree<int> empty;
    std::size_t offender = 0;
    EXPECT_FALSE(empty.bulk_load(keys, values, code, &offender));
    EXPECT_EQ(code, masstree::errc::key_too_long);
    EXPECT_EQ(offender, 1u);
}

TEST(batch, refuses_unsorted_keys_and_says_which)
{
    masstree::tree<int, int> tree;
    std::error_code code;
    std::size_t offender = 0;
    EXPECT_FALSE(tree.bulk_load(std::array<int, 3>{1, 3, 2}, std::array<int, 3>{1, 3, 2}, code,
                                &offender));
    EXPECT_EQ(code, masstree::errc::unsorted);
    EXPECT_EQ(offender, 2u);
    EXPECT_TRUE(tree.empty());
}

TEST(batch, refuses_containers_of_different_lengths)
{
    masstree::tree<int, int> tree;
    std::error_code code;
    EXPECT_EQ(tree.put_many(std::array<int, 3>{1, 2, 3}, std::array<int, 2>{1, 2}, code), 0u);
    EXPECT_EQ(code, masstree::errc::invalid);
    EXPECT_FALSE(tree.bulk_load(std::array<int, 1>{1}, std::array<int, 2>{1, 2}, code));
    EXPECT_EQ(code, masstree::errc::invalid);
    EXPECT_TRUE(tree.empty());
}

} // namespace
