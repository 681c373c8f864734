// Trees of byte strings.
#include "support.hpp"

namespace {

using test::shown;

TEST(bytes, keeps_copies_of_any_bytes)
{
    masstree::bytes_tree tree;
    std::string value("a\0b", 3);
    tree.put("k", value);
    value = "changed";
    EXPECT_EQ(tree.copy("k"), std::string("a\0b", 3));
    tree.put("k", std::string_view());
    EXPECT_EQ(tree.copy("k"), "");
    EXPECT_EQ(tree.copy("absent"), std::nullopt);
    const std::string large(100'000, 'x');
    tree.put("large", large);
    EXPECT_EQ(tree.copy("large"), large);
}

TEST(bytes, copies_to_a_buffer_only_what_fits)
{
    masstree::bytes_tree tree;
    tree.put("k", "value");
    char buffer[6] = "-----";
    EXPECT_EQ(tree.copy("k", buffer, 4), 5u);
    EXPECT_STREQ(buffer, "-----");
    EXPECT_EQ(tree.copy("k", buffer, 5), 5u);
    EXPECT_STREQ(buffer, "value");
    EXPECT_EQ(tree.copy("absent", buffer, 5), std::nullopt);
}

TEST(bytes, updates_and_appends)
{
    masstree::bytes_tree tree;
    EXPECT_EQ(tree.append("k", "one"), 3u);
    EXPECT_EQ(tree.append("k", ", two"), 8u);
    tree.update("k", [](std::optional<std::string_view> now) { return std::string(*now) + "!"; });
    EXPECT_EQ(tree.copy("k"), "one, two!");
    using wanted = masstree::change<std::string>;
    tree.update("k", [](auto) -> wanted { return masstree::keep_value; });
#if MASSTREE_HAS_EXCEPTIONS
    EXPECT_THROW(tree.update("k", [](auto) -> wanted { throw 1; }), int);
#endif
    EXPECT_EQ(tree.copy("k"), "one, two!");
    tree.update("k", [](auto) -> wanted { return masstree::remove_key; });
    EXPECT_EQ(tree.copy("k"), std::nullopt);
    tree.update("k", [](auto now) { return now ? std::string() : std::string("new"); });
    EXPECT_EQ(tree.copy("k"), "new");
    std::uint64_t state = 1;
    EXPECT_EQ(tree.sample(state, 3,
                          [](std::string_view key, std::string_view value) {
                              EXPECT_EQ(key, "k");
                              EXPECT_EQ(value, "new");
                          }),
              3u);
}

TEST(bytes, finds_the_longest_prefix)
{
    masstree::bytes_tree tree;
    auto guard = tree.enter();
    EXPECT_FALSE(tree.longest_prefix("10.20.30", guard));
    tree.put("10.", "first");
    tree.put("10.20.", "second");
    const auto found = tree.longest_prefix("10.20.30", guard);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->length, 6u);
    EXPECT_EQ(found->value, "second");
}

TEST(bytes, a_view_of_a_value_lasts_as_long_as_its_guard)
{
    masstree::bytes_tree tree;
    tree.put("k", "first");
    auto guard = tree.enter();
    const auto first = tree.get("k", guard);
    EXPECT_EQ(tree.exchange("k", "second", guard), "first");
    EXPECT_EQ(tree.exchange_if_present("k", "third", guard), "second");
    const auto taken = tree.take("k", guard);
    tree.flush();
    EXPECT_EQ(first, "first");
    EXPECT_EQ(taken, "third");
    EXPECT_EQ(tree.take("k", guard), std::nullopt);
    EXPECT_EQ(tree.get("k", guard), std::nullopt);
}

TEST(bytes, inserts_and_replaces_on_conditions)
{
    masstree::bytes_tree tree;
    auto guard = tree.enter();
    EXPECT_FALSE(tree.replace("k", "x"));
    EXPECT_EQ(tree.exchange_if_present("k", "x", guard), std::nullopt);
    EXPECT_EQ(tree.exchange("k", "first", guard), std::nullopt);
    EXPECT_FALSE(tree.insert("k", "other"));
    EXPECT_TRUE(tree.insert("l", "other"));
    EXPECT_EQ(tree.insert_or_get("k", "other", guard), "first");
    EXPECT_EQ(tree.insert_or_get("m", "other", guard), std::nullopt);
    EXPECT_TRUE(tree.replace("k", "second"));
    EXPECT_EQ(shown(tree.items()), "k=second,l=other,m=other,");

    std::string_view actual;
    EXPECT_EQ(tree.compare_exchange("k", "wrong", "third").outcome, masstree::outcome::mismatch);
    EXPECT_FALSE(tree.compare_exchange("k", "wrong", "third", actual, guard));
    EXPECT_EQ(actual, "second");
    EXPECT_TRUE(tree.compare_exchange("k", "second", "third"));
    EXPECT_TRUE(tree.compare_exchange("k", "third", "fourth", actual, guard));
    EXPECT_EQ(actual, "second");
    EXPECT_FALSE(tree.remove_if_equal("k", "wrong", actual, guard));
    EXPECT_EQ(actual, "fourth");
    EXPECT_TRUE(tree.remove_if_equal("k", "fourth"));
    EXPECT_EQ(tree.remove_if_equal("k", "fourth").outcome, masstree::outcome::not_found);
    EXPECT_TRUE(tree.remove_if_equal("l", "other", actual, guard));
    EXPECT_TRUE(tree.remove("m"));
    EXPECT_TRUE(tree.empty());
}

TEST(bytes, visits_keys_and_values)
{
    masstree::bytes_tree tree;
    for (int i = 0; i < 40; ++i)
        tree.put(std::to_string(10 + i), "v" + std::to_string(i));
    std::string seen;
    tree.scan(masstree::range<>{}.from("48"), [&](std::string_view key, std::string_view value) {
        seen += std::string(key) + std::string(value);
    });
    tree.scan_values(masstree::range<>{}.limit(1), [&](std::string_view value) { seen += value; });
    EXPECT_EQ(seen, "48v3849v39v0");
    EXPECT_EQ(shown(tree.items(masstree::range<>{}.before("12"))), "10=v0,11=v1,");

    auto cursor = tree.cursor();
    masstree::item<std::string_view, std::string_view> items[50];
    ASSERT_EQ(cursor.next_many(items, 50), 40u);
    EXPECT_EQ(items[39].value, "v39");
    ASSERT_EQ(cursor.prev_many(items, 2), 2u);
    EXPECT_EQ(items[1].key, "47");
    EXPECT_EQ(cursor.value(), "v37");
}

TEST(bytes, handles_many_keys_at_once)
{
    masstree::bytes_tree tree;
    std::vector<std::string> keys, values;
    for (int i = 0; i < 600; ++i) {
        keys.push_back("key" + std::to_string(1000 + i));
        values.push_back(std::string(static_cast<std::size_t>(i % 30), 'x'));
    }
    EXPECT_TRUE(tree.bulk_load(keys, values));
    keys.push_back("absent");
    auto guard = tree.enter();
    auto found = tree.get_many(keys, guard);
    ASSERT_EQ(found.size(), 601u);
    for (std::size_t i = 0; i < 600; ++i)
        ASSERT_EQ(found[i], values[i]);
    EXPECT_EQ(found[600], std::nullopt);
    values.assign(601, "all");
    EXPECT_EQ(tree.put_many(keys, values), 601u);
    EXPECT_EQ(tree.copy("absent"), "all");
    keys.push_back("nowhere");
    EXPECT_EQ(tree.remove_many(keys), 601u);
}

TEST(bytes_tree, pops_the_ends_of_a_range)
{
    masstree::basic_bytes_tree<std::uint64_t> tree;
    for (std::uint64_t i = 0; i < 100; i++)
        tree.put(i, std::to_string(i));
    const auto guard = tree.enter();
    const auto first = tree.pop_first({}, guard);
    EXPECT_EQ(*first, std::pair(std::uint64_t{0}, std::string_view("0")));
    const auto last = tree.pop_last(masstree::range<std::uint64_t>().before(50), guard);
    EXPECT_EQ(*last, std::pair(std::uint64_t{49}, std::string_view("49")));
    EXPECT_EQ(tree.remove_range({}), 98u);
    EXPECT_EQ(tree.pop_last({}, guard), std::nullopt);
}

TEST(bytes, takes_integers_for_keys)
{
    masstree::basic_bytes_tree<std::int32_t> tree;
    for (int i : {5, -5, 0})
        tree.put(i, std::to_string(i));
    EXPECT_EQ(shown(tree.items()), "-5=-5,0=0,5=5,");
    auto guard = tree.enter();
    EXPECT_EQ(tree.get(-5, guard), "-5");
    const std::vector<int> keys{0, 1, 5};
    auto found = tree.get_many(keys, guard);
    EXPECT_EQ(found[0], "0");
    EXPECT_EQ(found[1], std::nullopt);
    EXPECT_EQ(found[2], "5");
    EXPECT_EQ(tree.remove_many(keys), 2u);
    EXPECT_TRUE(tree.contains(-5));
}

} // namespace
