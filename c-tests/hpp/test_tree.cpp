// Trees of words: operations on one key, and on the tree as a whole.
#include "support.hpp"

namespace {

using test::shown;

TEST(tree, gets_what_was_put_and_nothing_else)
{
    masstree::tree<std::uint64_t> tree;
    EXPECT_TRUE(tree.empty());
    tree.put("pear", 3);
    tree.put("", 1);
    EXPECT_EQ(tree.get("pear"), 3u);
    EXPECT_EQ(tree.get(std::string_view()), 1u);
    EXPECT_EQ(tree.get("pea"), std::nullopt);
    EXPECT_EQ(tree.get(std::string_view("pear\0", 5)), std::nullopt);
    EXPECT_TRUE(tree.contains("pear"));
    EXPECT_FALSE(tree.contains("fig"));
    EXPECT_EQ(tree.size(), 2u);
    tree.clear();
    EXPECT_EQ(tree.get("pear"), std::nullopt);
}

TEST(tree, finds_the_longest_prefix)
{
    masstree::tree<int> tree;
    EXPECT_FALSE(tree.longest_prefix("10.20.30"));
    tree.put("10.", 1);
    tree.put("10.20.", 2);
    const auto found = tree.longest_prefix("10.20.30");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->length, 6u);
    EXPECT_EQ(found->value, 2);
    EXPECT_EQ(tree.longest_prefix("10.21.30")->value, 1);
}

TEST(tree, adds_to_numbers)
{
    masstree::tree<std::int64_t> tree;
    EXPECT_EQ(tree.add("n", 5), 5);
    EXPECT_EQ(tree.add("n", -7), -2);
    EXPECT_EQ(tree.get("n"), -2);
    masstree::tree<std::uint64_t, int> integers;
    integers.add(-3, 1);
    EXPECT_EQ(integers.add(-3, 1), 2u);
}

TEST(tree, draws_keys_at_random)
{
    masstree::tree<int, int> tree;
    for (int i = 0; i < 100; ++i)
        tree.put(i, 2 * i);
    std::uint64_t state = 1;
    std::size_t met = 0;
    const std::size_t drawn = tree.sample(state, 50, [&](int key, int value) {
        EXPECT_EQ(value, 2 * key);
        return ++met == 40 ? masstree::flow::stop : masstree::flow::go_on;
    });
    EXPECT_EQ(drawn, 40u);
    EXPECT_EQ(met, 40u);
}

enum class colour : std::uint8_t { red = 7, green };

struct point {
    point(std::int32_t across, std::int32_t down) : x(across), y(down) {}
    std::int32_t x, y;
    friend bool operator==(const point &a, const point &b) { return a.x == b.x && a.y == b.y; }
};

TEST(tree, holds_any_small_type_bit_by_bit)
{
    masstree::tree<double> reals;
    reals.put("minus zero", -0.0);
    EXPECT_TRUE(std::signbit(*reals.get("minus zero")));
    EXPECT_FALSE(reals.compare_exchange("minus zero", 0.0, 1.0));
    EXPECT_TRUE(reals.compare_exchange("minus zero", -0.0, 1.0));

    masstree::tree<colour> colours;
    colours.put("leaf", colour::green);
    EXPECT_EQ(colours.get("leaf"), colour::green);

    masstree::tree<point> points; // has no default constructor
    points.put("p", {-3, 4});
    EXPECT_EQ(points.get("p"), point(-3, 4));
    EXPECT_EQ(points.take("p"), point(-3, 4));

    int there = 5;
    masstree::tree<const int *> pointers;
    pointers.put("p", &there);
    EXPECT_EQ(pointers.get("p"), &there);

    masstree::tree<bool> flags;
    flags.put("on", true);
    EXPECT_EQ(flags.get("on"), true);
}

TEST(tree, returns_previous_values)
{
    masstree::tree<int> tree;
    EXPECT_EQ(tree.exchange("a", 1), std::nullopt);
    EXPECT_EQ(tree.exchange("a", 2), 1);
    EXPECT_EQ(tree.exchange_if_present("b", 1), std::nullopt);
    EXPECT_EQ(tree.exchange_if_present("a", 3), 2);
    EXPECT_EQ(tree.take("a"), 3);
    EXPECT_EQ(tree.take("a"), std::nullopt);
    EXPECT_FALSE(tree.contains("b"));
}

/* Put back: in popped_key::take, keep the room behind the key. */
TEST(tree, pops_the_ends_of_a_range)
{
    masstree::tree<int> tree;
    const std::string longer(100, 'b');
    for (std::string_view key : {std::string_view("a"), std::string_view(longer), std::string_view("c")})
        tree.put(key, static_cast<int>(key.size()));
    masstree::range<std::string_view> up_to_c;
    const auto last = tree.pop_last(up_to_c.before("c"));
    EXPECT_EQ(last->first, longer);
    EXPECT_EQ(last->second, 100);
    EXPECT_EQ(tree.pop_first()->first, "a");
    EXPECT_EQ(tree.pop_first(up_to_c.before("c")), std::nullopt);
    EXPECT_EQ(tree.remove_range({}), 1u);
    masstree::tree<int, int> numbers;
    for (int i = -500; i < 500; i++)
        numbers.put(i, 2 * i);
    EXPECT_EQ(numbers.remove_range(masstree::range<int>().from(-400).before(400)), 800u);
    EXPECT_EQ(*numbers.pop_first(), std::pair(-500, -1000));
    EXPECT_EQ(*numbers.pop_last(), std::pair(499, 998));
}

TEST(tree, inserts_only_absent_keys_and_replaces_only_existing_ones)
{
    masstree::tree<int> tree;
    EXPECT_FALSE(tree.replace("a", 1));
    EXPECT_TRUE(tree.insert("a", 1));
    EXPECT_FALSE(tree.insert("a", 2));
    EXPECT_EQ(tree.get("a"), 1);
    EXPECT_TRUE(tree.replace("a", 2));

    auto there = tree.get_or_insert("a", 9);
    ASSERT_TRUE(there);
    EXPECT_EQ(there->value, 2);
    EXPECT_FALSE(there->inserted);
    auto fresh = tree.get_or_insert("b", 9);
    ASSERT_TRUE(fresh);
    EXPECT_EQ(fresh->value, 9);
    EXPECT_TRUE(fresh->inserted);

    EXPECT_TRUE(tree.remove("a"));
    EXPECT_FALSE(tree.remove("a"));
    EXPECT_EQ(shown(tree.items()), "b=9,");
}

TEST(tree, makes_a_value_only_for_an_absent_key)
{
    masstree::tree<int> tree;
    int made = 0;
    const auto make = [&] { return ++made; };
    auto first = tree.get_or_insert_with("a", make);
    auto second = tree.get_or_insert_with("a", make);
    EXPECT_EQ(made, 1);
    EXPECT_EQ(first->value, 1);
    EXPECT_TRUE(first->inserted);
    EXPECT_EQ(second->value, 1);
    EXPECT_FALSE(second->inserted);
}

// Put back: set `actual` in comparison_of also where the value was the expected one.
TEST(tree, changes_a_value_only_if_it_is_the_expected_one)
{
    masstree::tree<int> tree;
    auto absent = tree.compare_exchange("a", 1, 2);
    EXPECT_FALSE(absent);
    EXPECT_EQ(absent.outcome, masstree::outcome::not_found);
    EXPECT_EQ(absent.actual, std::nullopt);

    tree.put("a", 1);
    auto other = tree.compare_exchange("a", 5, 2);
    EXPECT_EQ(other.outcome, masstree::outcome::mismatch);
    EXPECT_EQ(other.actual, 1);
    auto done = tree.compare_exchange("a", 1, 2);
    EXPECT_TRUE(done);
    EXPECT_EQ(done.actual, std::nullopt);
    EXPECT_EQ(tree.get("a"), 2);

    auto kept = tree.remove_if_equal("a", 1);
    EXPECT_EQ(kept.outcome, masstree::outcome::mismatch);
    EXPECT_EQ(kept.actual, 2);
    EXPECT_EQ(tree.get("a"), 2);
    auto removed = tree.remove_if_equal("a", 2);
    EXPECT_TRUE(removed);
    EXPECT_EQ(removed.actual, std::nullopt);
    EXPECT_EQ(tree.remove_if_equal("a", 2).outcome, masstree::outcome::not_found);
}

TEST(tree, updates_as_the_callback_decides)
{
    masstree::tree<int> tree;
    const auto increment = [](std::optional<int> n) { return n.value_or(0) + 1; };
    tree.update("a", increment);
    tree.update("a", increment);
    EXPECT_EQ(tree.get("a"), 2);

    const auto drop_two = [](std::optional<int> n) -> masstree::change<int> {
        if (n == 2)
            return masstree::remove_key;
        return masstree::keep_value;
    };
    tree.put("b", 1);
    for (const char *key : {"a", "b", "c"})
        tree.update(key, drop_two);
    EXPECT_EQ(shown(tree.items()), "b=1,");
}

TEST(tree, counts_right_under_threads)
{
    masstree::tree<std::uint64_t, std::uint32_t> tree;
    constexpr std::uint64_t steps = 20'000;
    constexpr std::uint32_t keys = 10;
    const auto work = [&] {
        auto guard = tree.enter();
        for (std::uint64_t i = 0; i < steps; ++i)
            tree.update(
                static_cast<std::uint32_t>(i % keys),
                [](std::optional<std::uint64_t> n) { return n.value_or(0) + 1; }, guard);
    };
    std::thread other(work);
    work();
    other.join();
    std::uint64_t sum = 0;
    tree.scan_values({}, [&](std::uint64_t n) { sum += n; });
    EXPECT_EQ(sum, 2 * steps);
}

TEST(tree, moves_with_its_guards)
{
    masstree::tree<int> first;
    first.put("a", 1);
    auto guard = first.enter();
    masstree::tree<int> second = std::move(first);
    EXPECT_FALSE(first);
    ASSERT_TRUE(second);
    EXPECT_EQ(second.get("a", guard), 1);

    masstree::guard other = std::move(guard);
    EXPECT_FALSE(guard);
    EXPECT_EQ(second.get("a", other), 1);
    other.refresh();
    EXPECT_EQ(second.get("a", other), 1);
    EXPECT_EQ(second.get("a", guard), 1); // an empty guard acts as no guard
    other.leave();

    masstree::tree<int> third;
    third.put("c", 3);
    third.swap(second);
    EXPECT_EQ(third.get("a"), 1);
    EXPECT_EQ(second.get("c"), 3);
    second = std::move(third);
    EXPECT_EQ(second.get("a"), 1);
    EXPECT_EQ(second.get("c"), std::nullopt);
}

/** A memory resource that counts, and fails on request. */
class meter : public masstree::memory_resource {
public:
    std::atomic<std::size_t> in_use{0};
    std::atomic<bool> is_empty{false};

private:
    void *do_allocate(std::size_t size, std::size_t align) override
    {
        if (is_empty) {
#if MASSTREE_HAS_EXCEPTIONS
            throw std::bad_alloc();
#else
            return nullptr;
#endif
        }
        in_use += size;
        return ::operator new(size, std::align_val_t(align));
    }
    void do_deallocate(void *bytes, std::size_t size, std::size_t align) override
    {
        in_use -= size;
        ::operator delete(bytes, std::align_val_t(align));
    }
    bool do_is_equal(const memory_resource &other) const noexcept override
    {
        return this == &other;
    }
};

TEST(tree, takes_memory_where_the_options_say)
{
    meter memory;
    masstree::options options;
    options.memory = &memory;
    options.chunk_size = 4096;
    options.huge_pages = false;
    {
        masstree::tree<int, int> tree(options);
        for (int i = 0; i < 1000; ++i)
            tree.put(i, i);
        EXPECT_GT(memory.in_use, 10'000u);

        memory.is_empty = true;
        std::error_code code;
        int i = 1000;
        while (!code && i < 10'000)
            tree.put(i++, 0, code);
        EXPECT_EQ(code, masstree::errc::no_memory);
        memory.is_empty = false;
        EXPECT_EQ(tree.size(), static_cast<std::size_t>(i - 1));
        EXPECT_TRUE(tree.check());
    }
    EXPECT_EQ(memory.in_use, 0u);
}

TEST(tree, takes_large_chunks_from_memory_that_has_them)
{
    meter memory;
    masstree::options options;
    options.huge_pages_from_memory = true;
    std::error_code code;
    masstree::tree<int> refused(options, code);
    EXPECT_EQ(code, masstree::errc::invalid);
    options.memory = &memory;
    {
        masstree::bytes_tree tree(options);
        for (int i = 0; i < 1000; ++i)
            tree.put("key" + std::to_string(i), "a value");
        EXPECT_GE(memory.in_use.load(), tree.stats().node_bytes + tree.stats().value_bytes);
    }
    EXPECT_EQ(memory.in_use, 0u);
}

TEST(tree, reports_its_statistics)
{
    masstree::tree<int> tree;
    for (int i = 0; i < 1000; ++i)
        tree.put("key" + std::to_string(i), i);
    EXPECT_EQ(tree.stats().keys, 1000u);
    EXPECT_EQ(tree.stats().nodes_visited, 0u);
    EXPECT_GT(tree.stats(true).leaves, 60u);
    EXPECT_EQ(tree.stats_json().rfind("{\"keys\":1000,", 0), 0u) << tree.stats_json();

    std::string wrong;
    EXPECT_TRUE(tree.check([&](std::string_view line) { wrong += line; }));
    EXPECT_EQ(wrong, "");

    const masstree_estimate_t estimate = tree.estimate(masstree::range<>{}.from("key5").before("key6"));
    EXPECT_EQ(estimate.keys, 111u);
    EXPECT_EQ(estimate.keys_error, 0u);
    EXPECT_EQ(tree.estimate(masstree::range<>{}, 1).keys, 1000u);

    const auto pivots = tree.pivots(3);
    EXPECT_EQ(pivots.size(), 3u);
    EXPECT_TRUE(std::is_sorted(pivots.begin(), pivots.end()));

    for (int i = 0; i < 1000; ++i) {
        if (i % 10 != 0)
            tree.remove("key" + std::to_string(i));
    }
    std::size_t merged = 0;
    masstree::upkeep done;
    while (!done.finished) {
        done = tree.maintain(16);
        merged += done.merged;
    }
    EXPECT_GT(merged, 0u);
    EXPECT_EQ(tree.stats().leaves_merged, merged);
    do {
        done = tree.compact(16, 15);
        merged += done.merged;
    } while (!done.finished);
    EXPECT_EQ(tree.stats().leaves_merged, merged);
    tree.flush();
    tree.barrier();
}

TEST(tree, shows_itself_as_text_and_as_a_graph)
{
    masstree::tree<int> tree;
    tree.put("apple", 1);
    std::string text, graph;
    tree.dump(masstree::dump_format::text, [&](std::string_view s) { text += s; });
    tree.dump(masstree::dump_format::graphviz, [&](std::string_view s) { graph += s; });
    EXPECT_NE(text.find("\"apple\""), std::string::npos);
    EXPECT_EQ(graph.rfind("digraph", 0), 0u) << graph;
}

TEST(tree, speaks_of_the_library)
{
    EXPECT_STREQ(masstree::version_string(), MASSTREE_VERSION_STRING);
    EXPECT_EQ(masstree::version_number(), static_cast<unsigned>(MASSTREE_VERSION_NUMBER));
    EXPECT_EQ(masstree::abi_version(), static_cast<unsigned>(MASSTREE_ABI_VERSION));
}

} // namespace
