/**
 * @file
 * The common base of trees of words and of byte strings in the C++ interface of libmasstree. Part
 * of masstree.hpp.
 */
#ifndef MASSTREE_BASE_HPP
#define MASSTREE_BASE_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#if __has_include(<memory_resource>)
#include <memory_resource>
#else
#include <experimental/memory_resource>
#endif
#pragma GCC visibility pop

#include "callback.hpp"
#include "calls.hpp"
#include "observation.hpp"
#include "range.hpp"

namespace masstree {

#if __has_include(<memory_resource>)
/** std::pmr::memory_resource; or its predecessor, if the standard library lacks it. */
using memory_resource = std::pmr::memory_resource;
#else
/** The predecessor of std::pmr::memory_resource, which this standard library lacks. */
using memory_resource = std::experimental::pmr::memory_resource;
#endif

/** Options of a new tree. */
struct options {
    /**
     * Supplies the tree's memory, guards and cursors included; a null pointer: malloc. It must be
     * thread-safe, outlive the tree, and not call into the tree.
     */
    memory_resource *memory = nullptr;
    /** Bytes that the pool of nodes allocates at once; 0: from 1 KiB, growing to 2 MiB. */
    std::size_t chunk_size = 0;
    /** Whether large trees ask the kernel for huge pages. */
    bool huge_pages = true;
    /**
     * Whether pools take chunks of 2 MiB, aligned to 2 MiB, from `memory`, once they are large; then
     * `memory` must not be a null pointer, and `chunk_size` must be 0.
     */
    bool huge_pages_from_memory = false;
    /**
     * Finds the key that a value contains, for trees whose values contain their keys: see
     * masstree_key_of_t.
     */
    masstree_key_of_t key_of = nullptr;
    /** Passed to `key_of`. */
    void *key_context = nullptr;
};

/** Output formats of `dump`. */
enum class dump_format : std::uint32_t {
    /** A line for each node and entry. */
    text = MASSTREE_DUMP_TEXT,
    /** A graph in Graphviz's language. */
    graphviz = MASSTREE_DUMP_GRAPHVIZ
};

/** The result of `maintain` and `compact`. */
struct upkeep {
    /** Number of leaves merged with the preceding leaf. */
    std::size_t merged = 0;
    /** Whether it reached the end of the tree; the next call starts over. */
    bool finished = false;
};

namespace detail {

inline void *allocate(std::size_t size, std::size_t align, void *ctx) noexcept
{
    auto &memory = *static_cast<memory_resource *>(ctx);
#if MASSTREE_HAS_EXCEPTIONS
    try {
        return memory.allocate(size, align);
    } catch (...) {
        return nullptr;
    }
#else
    return memory.allocate(size, align);
#endif
}

inline void deallocate(void *bytes, std::size_t size, std::size_t align, void *ctx) noexcept
{
    static_cast<memory_resource *>(ctx)->deallocate(bytes, size, align);
}

/** A tree that a store owns. */
struct of_store {
    masstree_t *handle;
};

} // namespace detail

/**
 * The common base of tree and bytes_tree. Any thread may call any function at any time, unless it
 * says otherwise; only the destructor, assignment and swap require that no other thread uses the
 * tree. Functions of a tree that was moved from, or not created because of an error, report
 * errc::invalid. Where a function takes a `context`, pass a guard, an std::error_code, or both.
 */
template <class K> class tree_base {
public:
    /** The type of the keys: std::string_view, or an integer. */
    using key_type = K;
    /** Ranges of such keys. */
    using range_type = range<K>;

    tree_base(const tree_base &) = delete;
    tree_base &operator=(const tree_base &) = delete;

    /** Whether this object has a tree: it was created, and not moved from. */
    [[nodiscard]] explicit operator bool() const noexcept { return tree_ != nullptr; }

    /** The C handle; this object keeps owning it. */
    [[nodiscard]] masstree_t *handle() const noexcept { return tree_; }

    /** Enters a guard of this tree. It is empty after an error that an std::error_code received. */
    [[nodiscard]] guard enter(errors report = {}) const
    {
        masstree_guard_t *handle = nullptr;
        report.note(masstree_guard_enter(tree_, &handle));
        return guard(handle);
    }

    /** Whether `key` is in the tree. Takes no lock; O(log n) key slices. */
    [[nodiscard]] bool contains(K key, context with = {}) const
    {
        const std::int32_t status =
            detail::calls<K>::contains(tree_, with.handle(), detail::encode(key));
        with.note(status);
        return status == MASSTREE_OK;
    }

    /**
     * Removes `key`, and returns whether it was in the tree. Its value is destroyed once no guard
     * protects it any more. Never runs out of memory.
     */
    bool remove(K key, context with = {})
    {
        const std::int32_t status =
            detail::calls<K>::remove(tree_, with.handle(), detail::encode(key), nullptr);
        with.note(status);
        return status == MASSTREE_OK;
    }

    /** Removes every key, all at once; memory is freed when every guard held now was left. */
    void clear(context with = {}) { with.note(masstree_clear(tree_, with.handle())); }

    /**
     * Removes the keys of a range, whole leaves at a time, the first ones up to its limit; returns how
     * many. Not atomic as a whole: see masstree_remove_range.
     */
    std::size_t remove_range(const range<K> &keys, context with = {})
    {
        const masstree_range_t c = keys.to_c();
        std::size_t removed = 0;
        with.note(masstree_remove_range(tree_, with.handle(), &c, &removed));
        return removed;
    }

    /** Counts the keys of a range, at most its limit. O(keys counted). */
    [[nodiscard]] std::size_t count(const range<K> &keys, context with = {}) const
    {
        const masstree_range_t c = keys.to_c();
        std::size_t counted = 0;
        with.note(masstree_count(tree_, with.handle(), &c, &counted));
        return counted;
    }

    /**
     * Estimates the number of keys in a range, and their bytes, from `most_nodes` of its nodes (0: 128);
     * see masstree_estimate.
     */
    [[nodiscard]] masstree_estimate_t estimate(const range<K> &keys, std::uint64_t most_nodes = 0,
                                               context with = {}) const
    {
        const masstree_range_t c = keys.to_c();
        masstree_estimate_t estimate = MASSTREE_ESTIMATE_INIT;
        estimate.most_nodes = most_nodes;
        with.note(masstree_estimate(tree_, with.handle(), &c, &estimate));
        return estimate;
    }

    /**
     * Calls `visit(K key)` for each key of a range, in order, without reading values; see
     * tree::scan. Returns how many keys were visited.
     */
    template <class F>
    std::size_t scan_keys(const range<K> &keys, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        const masstree_range_t c = keys.to_c(MASSTREE_SCAN_KEYS_ONLY);
        detail::frame<callee> frame{visit};
        std::size_t visited = 0;
        const std::int32_t status = masstree_scan(
            tree_, with.handle(), &c, detail::visit_keys<K, callee>::call, &frame, &visited);
        frame.carried.rethrow();
        with.note(status);
        return visited;
    }

    /** The number of keys: exact while no thread writes, otherwise a recent approximation. O(1). */
    [[nodiscard]] std::size_t size(errors report = {}) const
    {
        std::uint64_t len = 0;
        report.note(masstree_len(tree_, &len));
        return detail::cut<std::size_t>(len);
    }

    /** Bytes that the tree holds, fast enough to be asked after every insert: masstree_memory_held. */
    [[nodiscard]] std::size_t memory_held(errors report = {}) const
    {
        std::uint64_t bytes = 0;
        report.note(masstree_memory_held(tree_, &bytes));
        return detail::cut<std::size_t>(bytes);
    }

    /** Whether size() is 0. */
    [[nodiscard]] bool empty(errors report = {}) const { return size(report) == 0; }

    /**
     * Destroys `object` once no thread that found it through the tree can hold it any more: for
     * objects that values refer to. The object must no longer be reachable through the tree. If
     * memory runs out, the caller keeps it.
     */
    template <class E, class D>
    void retire(std::unique_ptr<E, D> &&object, context with = {})
    {
        static_assert(detail::is_stateless_v<D>, "see masstree_retire for a deleter with state");
        const std::int32_t status =
            masstree_retire(tree_, with.handle(), detail::untyped(object.get()), 0,
                            detail::destroy_object<E, D>, nullptr);
        if (status == MASSTREE_OK)
            static_cast<void>(object.release());
        with.note(status);
    }

    /**
     * Returns whether all observations are valid: they were at one moment during this call, which
     * is a full fence. Otherwise stores the index of the first invalid one at `first_changed`; the
     * size of `seen`, if only the leaf that this thread holds was cleared away. Must not be called
     * in callbacks of update and get_or_insert_with.
     */
    [[nodiscard]] bool validate(const observations &seen, errors report = {},
                                std::size_t *first_changed = nullptr) const
    {
        const std::int32_t status =
            masstree_validate(tree_, seen.data(), seen.size(), first_changed);
        report.note(status);
        return status == MASSTREE_OK;
    }

    /** The current version of a leaf, by the id in its observations; validate does more. */
    [[nodiscard]] std::uint64_t leaf_version(std::uint64_t leaf, errors report = {}) const
    {
        std::uint64_t version = 0;
        report.note(tree_ == nullptr ? MASSTREE_INVALID
                                     : masstree_leaf_version(tree_, leaf, &version));
        return version;
    }

    /**
     * Submits objects for freeing that were retired through the guard, or by this thread without
     * one.
     */
    void flush(context with = {}) { with.note(masstree_flush(tree_, with.handle())); }

    /**
     * Waits until every guard held now was refreshed or left, and every active call without one has
     * returned. Waits for ever if this thread holds a guard of this tree, or calls it in a
     * callback.
     */
    void barrier(errors report = {}) { report.note(masstree_barrier(tree_)); }

    /** Visits about `leaves` leaves and merges sparse ones; for idle moments. */
    upkeep maintain(std::size_t leaves, context with = {})
    {
        upkeep done;
        const std::int32_t status = masstree_maintain(tree_, with.handle(), leaves, &done.merged);
        with.note(status);
        done.finished = status == MASSTREE_END;
        return done;
    }

    /**
     * Visits about `leaves` leaves, and moves keys to the preceding leaf until that has `fill` of
     * them, 1 to 15 (0: 14); for idle moments.
     */
    upkeep compact(std::size_t leaves, std::uint32_t fill = 0, context with = {})
    {
        upkeep done;
        const std::int32_t status =
            masstree_compact(tree_, with.handle(), fill, leaves, &done.merged);
        with.note(status);
        done.finished = status == MASSTREE_END;
        return done;
    }

    /** Statistics of the tree; with `nodes`, visits and counts every node. */
    [[nodiscard]] masstree_stats_t stats(bool nodes = false, context with = {}) const
    {
        masstree_stats_t result = MASSTREE_STATS_INIT;
        result.flags = nodes ? MASSTREE_STATS_NODES : 0;
        with.note(masstree_stats(tree_, with.handle(), &result));
        return result;
    }

    /** The statistics as one line of JSON. */
    [[nodiscard]] std::string stats_json(bool nodes = false, context with = {}) const
    {
        std::string json;
        auto append = [&](std::string_view text) { json += text; };
        detail::frame<decltype(append)> frame{append};
        const std::int32_t status =
            masstree_stats_json(tree_, with.handle(), nodes ? MASSTREE_STATS_NODES : 0,
                                detail::run_write<decltype(append)>, &frame);
        frame.carried.rethrow();
        with.note(status);
        return json;
    }

    /**
     * Verifies every invariant, while no thread writes: returns true if all hold, and passes each
     * violation to `write(std::string_view line)`. O(nodes).
     */
    template <class F> [[nodiscard]] bool check(F &&write, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        detail::frame<callee> frame{write};
        const std::int32_t status =
            masstree_check(tree_, with.handle(), detail::run_write<callee>, &frame);
        frame.carried.rethrow();
        with.note(status == MASSTREE_CORRUPT ? MASSTREE_OK : status);
        return status == MASSTREE_OK;
    }

    /** Verifies every invariant, while no thread writes: returns true if all hold. */
    [[nodiscard]] bool check() const
    {
        return check([](std::string_view) {});
    }

    /** Writes the tree node by node to `write(std::string_view text)`; for small trees. */
    template <class F> void dump(dump_format format, F &&write, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        detail::frame<callee> frame{write};
        const std::int32_t status =
            masstree_dump(tree_, with.handle(), static_cast<std::uint32_t>(format),
                          detail::run_write<callee>, &frame);
        frame.carried.rethrow();
        with.note(status);
    }

    /** Keys (std::string, or the integer) that partition the tree into at most `cuts + 1` parts. */
    [[nodiscard]] std::vector<detail::owned_key<K>> pivots(std::size_t cuts,
                                                           context with = {}) const
    {
        std::vector<detail::owned_key<K>> keys;
        auto append = [&](K key) { keys.emplace_back(key); };
        detail::frame<decltype(append)> frame{append};
        const std::int32_t status =
            masstree_pivots(tree_, with.handle(), cuts,
                            detail::visit_keys<K, decltype(append), std::size_t>::call, &frame,
                            nullptr);
        frame.carried.rethrow();
        with.note(status);
        return keys;
    }

protected:
    tree_base() noexcept = default;
    /** The tree of a store: forget_base comes before destroy_base. */
    explicit tree_base(detail::of_store tree) noexcept : tree_(tree.handle) {}
    /** Moves from `other`, which has no tree afterwards. */
    tree_base(tree_base &&other) noexcept : tree_(std::exchange(other.tree_, nullptr)) {}
    ~tree_base() = default;

    /** Runs a C function with visitors of keys and of common prefixes. Returns the number of entries. */
    template <class F, class P, class Call>
    static std::size_t listed(F &visit, P &visit_prefix, const context &with, Call call)
    {
        detail::delimited<F, P> frame(visit, visit_prefix);
        std::size_t count = 0;
        const std::int32_t status = call(detail::delimited<F, P>::prefix, frame.ctx(), count);
        frame.carried.rethrow();
        with.note(status);
        return count;
    }

    /** Called by the destructor of the tree, while its deleter still exists. */
    void destroy_base() noexcept { masstree_destroy(std::exchange(tree_, nullptr)); }

    /** Forgets the tree of a store. */
    void forget_base() noexcept { tree_ = nullptr; }

    /** Creates the tree, with the fields of `c` that the derived class has set. */
    void create(const options &wanted, masstree_options_t &c, errors report)
    {
        if (wanted.memory != nullptr) {
            c.alloc = detail::allocate;
            c.free = detail::deallocate;
            c.alloc_ctx = wanted.memory;
        }
        c.chunk_size = wanted.chunk_size;
        c.key_of = wanted.key_of;
        c.key_ctx = wanted.key_context;
        c.huge_pages =
            wanted.huge_pages ? MASSTREE_HUGE_PAGES_FOR_LARGE_TREES : MASSTREE_HUGE_PAGES_NEVER;
        if (wanted.huge_pages_from_memory)
            c.huge_pages = MASSTREE_HUGE_PAGES_FROM_ALLOCATOR;
        report.note(masstree_create(&c, &tree_));
    }

    /** Exchanges two trees. */
    void swap_base(tree_base &other) noexcept { std::swap(tree_, other.tree_); }

private:
    masstree_t *tree_ = nullptr;
};

} // namespace masstree

#endif
