// Scans, views and cursors.
#include "support.hpp"

#if __cplusplus >= 202002L
#include <ranges>
#endif

namespace {

using masstree::range;
using test::shown;

using word_tree = masstree::tree<int>;

TEST(scan, visits_a_range_in_either_direction)
{
    word_tree tree;
    for (const char *key : {"a", "b", "ba", "bb", "c"})
        tree.put(key, 1);
    const auto scanned = [&](const range<> &keys) {
        std::string seen;
        const std::size_t visited =
            tree.scan_keys(keys, [&](std::string_view key) { seen += std::string(key) + ","; });
        EXPECT_EQ(visited, tree.count(keys));
        return seen;
    };
    EXPECT_EQ(scanned({}), "a,b,ba,bb,c,");
    EXPECT_EQ(scanned(range<>{}.reversed()), "c,bb,ba,b,a,");
    EXPECT_EQ(scanned(range<>{}.from("b").before("bb")), "b,ba,");
    EXPECT_EQ(scanned(range<>{}.after("b").through("bb")), "ba,bb,");
    EXPECT_EQ(scanned(range<>{}.prefix("b").after("b")), "ba,bb,");
    EXPECT_EQ(scanned(range<>{}.prefix("b").reversed().limit(2)), "bb,ba,");
    EXPECT_EQ(scanned(range<>{}.reversed().reversed().limit(1)), "a,");
}

TEST(scan, stops_where_the_visitor_says)
{
    masstree::tree<int, int> tree;
    for (int i = 0; i < 100; ++i)
        tree.put(i, i);
    int sum = 0;
    const std::size_t visited = tree.scan({}, [&](int key, int value) {
        sum += value;
        return key == 20 ? masstree::flow::stop : masstree::flow::go_on;
    });
    EXPECT_EQ(visited, 21u);
    EXPECT_EQ(sum, 210);
    // A visitor need not be copyable, nor const.
    struct counter {
        counter() = default;
        counter(const counter &) = delete;
        void operator()(int) { ++calls; }
        int calls = 0;
    } count;
    tree.scan_keys({}, count);
    EXPECT_EQ(count.calls, 100);
}

TEST(view, works_with_range_for_in_either_direction)
{
    word_tree tree;
    tree.put("pear", 3);
    tree.put("apple", 1);
    tree.put("fig", 2);
    EXPECT_EQ(shown(tree.items()), "apple=1,fig=2,pear=3,");
    EXPECT_EQ(shown(tree.items(range<>{}.reversed())), "pear=3,fig=2,apple=1,");
    auto guard = tree.enter();
    EXPECT_EQ(shown(tree.items(range<>{}.from("b"), guard)), "fig=2,pear=3,");
    auto view = tree.items();
    int sum = 0;
    for (int again = 0; again < 2; ++again) {
        for (auto [key, value] : view)
            sum += value;
    }
    EXPECT_EQ(sum, 12);
    word_tree empty;
    EXPECT_EQ(shown(empty.items()), "");
    EXPECT_EQ(shown(empty.items(range<>{}.reversed())), "");
}

#if __cplusplus >= 202002L && defined(__cpp_lib_ranges)
static_assert(std::input_iterator<word_tree::items_type::iterator>);
static_assert(std::ranges::input_range<word_tree::items_type>);
static_assert(std::ranges::input_range<masstree::bytes_tree::items_type>);
#endif

/** Short keys over a few letters: prefixes of each other, some with the highest byte. */
std::string random_key(std::mt19937_64 &numbers)
{
    static constexpr char letters[] = {'a', 'b', '\xfe', '\xff'};
    std::string key(numbers() % 12, '\0');
    for (char &letter : key)
        letter = letters[numbers() % sizeof letters];
    if (numbers() % 2 == 0)
        key.insert(0, "abababab");
    return key;
}

TEST(view, shows_what_a_scan_visits_for_any_range)
{
    auto numbers = test::random_numbers();
    word_tree tree;
    for (int i = 0; i < 500; ++i)
        tree.put(random_key(numbers), i);
    for (int i = 0; i < 3000; ++i) {
        std::string lower = random_key(numbers), upper = random_key(numbers);
        if (upper < lower)
            std::swap(lower, upper);
        const std::string prefix = random_key(numbers).substr(0, numbers() % 10);
        range<> keys;
        if (numbers() % 2 == 0)
            keys = numbers() % 2 == 0 ? keys.from(lower) : keys.after(lower);
        if (numbers() % 2 == 0)
            keys = numbers() % 2 == 0 ? keys.through(upper) : keys.before(upper);
        if (numbers() % 2 == 0)
            keys = keys.prefix(prefix);
        if (numbers() % 2 == 0)
            keys = keys.reversed();
        if (numbers() % 2 == 0)
            keys = keys.limit(numbers() % 40);
        std::string scanned;
        tree.scan(keys, [&](std::string_view key, int value) {
            scanned += std::string(key) + "=" + std::to_string(value) + ",";
        });
        ASSERT_EQ(shown(tree.items(keys)), scanned) << lower << ".." << upper << " " << prefix;
    }
}

TEST(view, survives_changes_of_the_tree)
{
    masstree::tree<int, int> tree;
    for (int i = 0; i < 1000; ++i)
        tree.put(2 * i, i);
    int last = -1;
    std::size_t seen = 0;
    for (auto [key, value] : tree.items()) {
        EXPECT_GT(key, last);
        last = key;
        seen += static_cast<std::size_t>(key % 2 == 0);
        tree.put(2 * value + 1, 0);
        tree.remove(2 * value);
    }
    EXPECT_EQ(seen, 1000u);
    EXPECT_EQ(tree.size(), 1000u);
}

TEST(view, of_integers_has_bounds_of_integers)
{
    masstree::tree<int, std::int64_t> tree;
    for (int i = -50; i < 50; ++i)
        tree.put(i, i);
    using keys = range<std::int64_t>;
    EXPECT_EQ(shown(tree.items(keys{}.from(-2).before(2))), "-2=-2,-1=-1,0=0,1=1,");
    EXPECT_EQ(shown(tree.items(keys{}.after(-3).limit(2))), "-2=-2,-1=-1,");
    EXPECT_EQ(shown(tree.items(keys{}.through(-49).reversed())), "-49=-49,-50=-50,");
    EXPECT_EQ(tree.count(keys{}.after(-50)), 99u);
}

TEST(scan_delimited, lists_keys_and_common_prefixes_of_each_kind_of_tree)
{
    word_tree words;
    masstree::bytes_tree strings;
    masstree::versioned_tree versions;
    for (const char *key : {"a", "b/1", "b/2", "c/1/x", "d"}) {
        words.put(key, key[0]);
        strings.put(key, key);
        versions.put(key, 1, key);
    }
    std::string text;
    auto prefix = [&](std::string_view bytes) { text += std::string(bytes) + "*,"; };
    auto word = [&](std::string_view key, int value) {
        text += std::string(key) + "=" + std::to_string(value) + ",";
    };
    auto string = [&](std::string_view key, std::string_view value) {
        text += std::string(key) + "=" + std::string(value) + ",";
    };
    auto version = [&](std::string_view key, const masstree::version &found) {
        string(key, found.value);
    };
    const auto seqno = MASSTREE_SEQNO_LATEST;
    EXPECT_EQ(words.scan_delimited(range<>{}, "/", word, prefix), 4u);
    EXPECT_EQ(std::exchange(text, ""), "a=97,b/*,c/*,d=100,");
    EXPECT_EQ(strings.scan_delimited(range<>{}.reversed().limit(3), "/", string, prefix), 3u);
    EXPECT_EQ(std::exchange(text, ""), "d=d,c/*,b/*,");
    EXPECT_EQ(versions.scan_delimited(range<>{}.after("b/"), seqno, "/", version, prefix), 2u);
    EXPECT_EQ(std::exchange(text, ""), "c/*,d=d,");

    // Either visitor may stop the scan, or throw.
    auto stop = [&](std::string_view) { return masstree::flow::stop; };
    EXPECT_EQ(words.scan_delimited(range<>{}, "/", word, stop), 2u);
#if MASSTREE_HAS_EXCEPTIONS
    auto fail = [](std::string_view) { throw 7; };
    EXPECT_THROW(words.scan_delimited(range<>{}, "/", word, fail), int);
    auto fail_at_key = [](std::string_view, int) { throw 7; };
    EXPECT_THROW(words.scan_delimited(range<>{}, "/", fail_at_key, prefix), int);
#endif
}

TEST(cursor, steps_both_ways_and_seeks)
{
    word_tree tree;
    for (const char *key : {"a", "b", "c", "d"})
        tree.put(key, key[0]);
    auto cursor = tree.cursor();
    EXPECT_EQ(cursor.key(), std::nullopt);
    EXPECT_EQ(cursor.value(), std::nullopt);
    ASSERT_TRUE(cursor.next());
    EXPECT_EQ(cursor.key(), "a");
    EXPECT_EQ(cursor.value(), 'a');
    EXPECT_FALSE(cursor.prev());
    EXPECT_EQ(cursor.key(), "a");
    ASSERT_TRUE(cursor.seek("bb"));
    EXPECT_EQ(cursor.key(), "c");
    ASSERT_TRUE(cursor.seek("bb", masstree::seek::at_most));
    EXPECT_EQ(cursor.key(), "b");
    ASSERT_TRUE(cursor.last());
    EXPECT_FALSE(cursor.next());
    ASSERT_TRUE(cursor.first());
    EXPECT_EQ(cursor.key(), "a");

    tree.remove("b");
    ASSERT_TRUE(cursor.next());
    EXPECT_EQ(cursor.key(), "c");
    tree.put("c", 9);
    EXPECT_EQ(cursor.value(), 'c');
    cursor.refresh();
    EXPECT_EQ(cursor.value(), 9);
    tree.remove("c");
    cursor.refresh();
    EXPECT_EQ(cursor.value(), std::nullopt);

    auto moved = std::move(cursor);
    EXPECT_FALSE(cursor);
    ASSERT_TRUE(moved.next());
    EXPECT_EQ(moved.key(), "d");
    moved = tree.cursor();
    ASSERT_TRUE(moved.prev());
    EXPECT_EQ(moved.key(), "d");
}

TEST(cursor, takes_many_steps_at_once)
{
    masstree::tree<int, int> tree;
    for (int i = 0; i < 150; ++i)
        tree.put(i, -i);
    auto guard = tree.enter();
    auto cursor = tree.cursor(guard);
    std::vector<masstree::item<int, int>> items(200);
    int expected = 0;
    while (const std::size_t count = cursor.next_many(items.data(), items.size())) {
        for (std::size_t i = 0; i < count; ++i, ++expected) {
            ASSERT_EQ(items[i].key, expected);
            ASSERT_EQ(items[i].value, -expected);
        }
    }
    EXPECT_EQ(expected, 150);
    EXPECT_EQ(cursor.prev_many(items.data(), 3), 3u);
    EXPECT_EQ(items[2].key, 146);
}

} // namespace
