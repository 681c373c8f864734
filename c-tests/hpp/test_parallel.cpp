// Scans by several threads.
#include "support.hpp"

#include <masstree/parallel.hpp>

#include <atomic>
#include <stdexcept>

namespace {

/** Each key is visited once, in the order of its part, and the parts are in order. */
TEST(parallel, every_key_is_visited_once)
{
    masstree::tree<std::uint64_t, std::uint64_t> tree;
    constexpr std::uint64_t keys = 20'000;
    for (std::uint64_t key = 0; key < keys; ++key)
        tree.put(key, key + 1);
    for (const std::size_t threads : {0u, 1u, 2u, 5u}) {
        std::vector<std::vector<std::uint64_t>> met(threads < 1 ? 1 : threads);
        const std::size_t visited = masstree::scan_parallel(
            tree, threads, [&](std::size_t part, std::uint64_t key, std::uint64_t value) {
                EXPECT_EQ(value, key + 1);
                met[part].push_back(key);
            });
        EXPECT_EQ(visited, keys);
        std::uint64_t next = 0;
        for (const auto &part : met) {
            EXPECT_FALSE(part.empty());
            for (const std::uint64_t key : part)
                EXPECT_EQ(key, next++);
        }
        EXPECT_EQ(next, keys);
    }
}

TEST(parallel, an_empty_tree_and_strings)
{
    masstree::bytes_tree tree;
    std::atomic<std::size_t> met{0};
    const auto count = [&](std::size_t, std::string_view key, std::string_view value) {
        EXPECT_EQ(key, value);
        ++met;
    };
    EXPECT_EQ(masstree::scan_parallel(tree, 3, count), 0u);
    for (int i = 0; i < 1000; ++i) {
        const std::string key = "a shared beginning " + std::to_string(i);
        tree.put(key, key);
    }
    EXPECT_EQ(masstree::scan_parallel(tree, 3, count), 1000u);
    EXPECT_EQ(met.load(), 1000u);
}

TEST(parallel, an_exception_arrives_and_stopping_ends_a_part)
{
    masstree::tree<int, int> tree;
    for (int key = 0; key < 10'000; ++key)
        tree.put(key, key);
#if MASSTREE_HAS_EXCEPTIONS
    EXPECT_THROW(masstree::scan_parallel(tree, 4,
                                         [](std::size_t part, int, int) {
                                             if (part == 2)
                                                 throw std::runtime_error("stop");
                                         }),
                 std::runtime_error);
#endif
    const std::size_t visited = masstree::scan_parallel(
        tree, 4, [](std::size_t, int, int) { return masstree::flow::stop; });
    EXPECT_EQ(visited, 4u);
}

} // namespace
