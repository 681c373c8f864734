/**
 * @file
 * Scans by several threads, for the C++ interface of libmasstree. Not part of masstree.hpp.
 */
#ifndef MASSTREE_PARALLEL_HPP
#define MASSTREE_PARALLEL_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <thread>
#include <utility>
#include <vector>
#pragma GCC visibility pop

#include "bytes_tree.hpp"
#include "tree.hpp"

namespace masstree {

namespace detail {

/** Threads that are joined, whatever happens. */
class joined_threads {
public:
    joined_threads() = default;
    joined_threads(const joined_threads &) = delete;
    joined_threads &operator=(const joined_threads &) = delete;
    ~joined_threads()
    {
        for (std::thread &thread : threads_)
            thread.join();
    }
    template <class F> void start(F body) { threads_.emplace_back(std::move(body)); }
    void reserve(std::size_t count) { threads_.reserve(count); }

private:
    std::vector<std::thread> threads_;
};

} // namespace detail

/**
 * Scans a whole tree by at most `threads` threads, of which the caller's is one: divides it by its pivots into
 * parts of about equally many keys, each of which one thread visits in ascending order. Calls
 * `visit(std::size_t part, K key, V value)`, which returns void or a masstree::flow; stopping ends its
 * part only. It is called by several threads at the same time, but for one part by one thread only.
 * Returns how many keys were visited. If a visitor throws, its part ends; the exception of the first such part
 * leaves this function when all threads have ended.
 */
template <class Tree, class F>
std::size_t scan_parallel(const Tree &tree, std::size_t threads, F &&visit)
{
    using K = typename Tree::key_type;
    const auto cuts = tree.pivots(threads < 2 ? 0 : threads - 1);
    const std::size_t parts = cuts.size() + 1;
    std::vector<std::size_t> visited(parts);
    std::vector<detail::carrier> carriers(parts);
    const auto run = [&](std::size_t part) noexcept {
        carriers[part].run([&] {
            range<K> keys;
            if (part > 0)
                keys = keys.from(cuts[part - 1]);
            if (part < cuts.size())
                keys = keys.before(cuts[part]);
            visited[part] = tree.scan(
                keys, [&](K key, auto value) { return visit(part, key, value); });
            return MASSTREE_OK;
        });
    };
    {
        detail::joined_threads others;
        others.reserve(parts - 1);
        for (std::size_t part = 1; part < parts; ++part)
            others.start([&run, part] { run(part); });
        run(0);
    }
    for (detail::carrier &first : carriers)
        first.rethrow();
    std::size_t sum = 0;
    for (const std::size_t count : visited)
        sum += count;
    return sum;
}

} // namespace masstree

#endif
