// Loads from a callable and by loaders; exports.
#include "support.hpp"

#include <thread>

namespace {

std::string numbered(int i)
{
    return "key of some length " + std::to_string(10000 + i);
}

/** Pairs of ascending keys and values, each made for the call. */
template <class Key, class Make> auto pairs_of(int count, Key key, Make make)
{
    return [=, i = 0]() mutable {
        using pair = std::pair<decltype(key(0)), decltype(make(0))>;
        std::optional<pair> next;
        if (i < count) {
            next.emplace(key(i), make(i));
            ++i;
        }
        return next;
    };
}

int same(int i)
{
    return i;
}

TEST(loader, load_from_a_callable)
{
    masstree::tree<int> words;
    masstree::tree<int, std::int32_t> integers;
    masstree::bytes_tree bytes;
    masstree::basic_bytes_tree<std::uint64_t> integer_bytes;
    EXPECT_TRUE(masstree::load_from(words, pairs_of(1000, numbered, same)));
    EXPECT_TRUE(masstree::load_from(integers, pairs_of(1000, [](int i) { return i - 500; }, same)));
    EXPECT_TRUE(masstree::load_from(bytes, pairs_of(1000, numbered, numbered)));
    EXPECT_TRUE(masstree::load_from(
        integer_bytes, pairs_of(1000, [](int i) { return std::uint64_t(i); }, numbered)));
    EXPECT_FALSE(masstree::load_from(words, pairs_of(1000, numbered, same)));
    EXPECT_EQ(words.size(), 1000u);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(words.get(numbered(i)), i);
        EXPECT_EQ(integers.get(i - 500), i);
        EXPECT_EQ(bytes.copy(numbered(i)), numbered(i));
        EXPECT_EQ(integer_bytes.copy(std::uint64_t(i)), numbered(i));
    }
}

TEST(loader, a_failed_load_from_a_callable_destroys_what_it_got)
{
    ASSERT_EQ(test::counted::alive, 0);
    {
        masstree::tree<test::owner, int> tree;
        std::error_code code;
        std::size_t offender = 99;
        auto make = [](int i) { return std::make_unique<test::counted>(i); };
        EXPECT_FALSE(masstree::load_from(
            tree, pairs_of(1000, [](int i) { return i == 700 ? 3 : i; }, make), code, &offender));
        EXPECT_EQ(code, masstree::errc::unsorted);
        EXPECT_EQ(offender, 700u);
        EXPECT_TRUE(tree.empty());
#if MASSTREE_HAS_EXCEPTIONS
        auto throwing = [i = 0, make]() mutable -> std::optional<std::pair<int, test::owner>> {
            if (++i == 700)
                throw std::out_of_range("enough");
            return std::pair(i, make(i));
        };
        EXPECT_THROW(static_cast<void>(masstree::load_from(tree, throwing)), std::out_of_range);
        EXPECT_TRUE(tree.empty());
#endif
        EXPECT_TRUE(masstree::load_from(tree, pairs_of(1000, same, make)));
        auto guard = tree.enter();
        EXPECT_EQ((*tree.get(700, guard))->number, 700);
        guard.leave();
    }
    EXPECT_EQ(test::counted::alive, 0);
}

TEST(loader, loaders_of_several_threads)
{
    masstree::tree<int, int> tree;
    std::vector<masstree::loader<masstree::tree<int, int>>> parts;
    std::vector<std::thread> threads;
    for (int part = 0; part < 3; ++part)
        parts.emplace_back(tree);
    for (int part = 0; part < 3; ++part) {
        threads.emplace_back([part, &parts] {
            std::vector<int> numbers(1000);
            for (int i = 0; i < 1000; ++i)
                numbers[static_cast<std::size_t>(i)] = part * 1000 + i;
            parts[static_cast<std::size_t>(part)].add(numbers, numbers);
        });
    }
    for (auto &thread : threads)
        thread.join();
    EXPECT_TRUE(tree.empty());
    std::swap(parts[0], parts[2]);
    std::error_code code;
    std::size_t offender = 99;
    EXPECT_FALSE(masstree::finish(tree, parts, code, &offender));
    EXPECT_EQ(code, masstree::errc::unsorted);
    EXPECT_EQ(offender, 1u);
    std::swap(parts[0], parts[2]);
    EXPECT_TRUE(masstree::finish(tree, parts));
    EXPECT_EQ(tree.size(), 3000u);
    EXPECT_EQ(tree.get(1234), 1234);
}

TEST(loader, a_refused_key_keeps_its_value)
{
    masstree::tree<std::unique_ptr<int>, int> tree;
    masstree::loader part(tree);
    std::vector<int> keys;
    std::vector<std::unique_ptr<int>> values;
    for (int i = 0; i < 1000; ++i) {
        keys.push_back(i == 600 ? 5 : i);
        values.push_back(std::make_unique<int>(i));
    }
    std::error_code code;
    EXPECT_EQ(part.add(keys, values, code), 600u);
    EXPECT_EQ(code, masstree::errc::unsorted);
    EXPECT_EQ(values[599], nullptr);
    EXPECT_NE(values[600], nullptr);
    EXPECT_NE(values[999], nullptr);
    EXPECT_EQ(part.add(std::vector<int>{600}, std::vector<std::unique_ptr<int>>(), code), 0u);
    EXPECT_EQ(code, masstree::errc::invalid);
    masstree::loader moved(std::move(part));
    EXPECT_FALSE(part);
    part = std::move(moved);
    EXPECT_TRUE(part);
    std::vector<masstree::loader<masstree::tree<std::unique_ptr<int>, int>>> parts;
    parts.push_back(std::move(part));
    EXPECT_TRUE(masstree::finish(tree, parts));
    EXPECT_EQ(tree.size(), 600u);
}

TEST(loader, an_export_fills_another_tree)
{
    masstree::tree<int> words;
    masstree::bytes_tree bytes;
    ASSERT_TRUE(masstree::load_from(words, pairs_of(1000, numbered, same)));
    ASSERT_TRUE(masstree::load_from(bytes, pairs_of(1000, numbered, numbered)));
    masstree::tree<int> copy;
    masstree::bytes_tree bytes_copy;
    std::vector<masstree::loader<masstree::tree<int>>> parts;
    std::vector<masstree::loader<masstree::bytes_tree>> bytes_parts;
    parts.emplace_back(copy);
    bytes_parts.emplace_back(bytes_copy);
    const auto some = masstree::range<>().limit(600);
    EXPECT_EQ(masstree::export_to(words, parts[0], some), 600u);
    EXPECT_EQ(masstree::export_to(bytes, bytes_parts[0]), 1000u);
    EXPECT_TRUE(masstree::finish(copy, parts));
    EXPECT_TRUE(masstree::finish(bytes_copy, bytes_parts));
    EXPECT_EQ(copy.size(), 600u);
    EXPECT_EQ(copy.get(numbered(599)), 599);
    EXPECT_EQ(bytes_copy.copy(numbered(999)), numbered(999));
}

} // namespace
