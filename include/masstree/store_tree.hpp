/**
 * @file
 * Trees of stores in the C++ interface of libmasstree, and conditions on their keys. Part of masstree.hpp.
 */
#ifndef MASSTREE_STORE_TREE_HPP
#define MASSTREE_STORE_TREE_HPP

#pragma GCC visibility push(default)
#include <chrono>
#include <cstdint>
#include <string_view>
#pragma GCC visibility pop

#include "store.h"
#include "versioned_tree.hpp"

namespace masstree {

/**
 * A tree of a store, for reading: a versioned tree, with the functions of basic_versioned_tree that read.
 * Write to it with the functions of store. This object refers to the store's tree: it may be destroyed at
 * any time, but not be used once the store is closed.
 */
template <class K = std::string_view> class basic_store_tree : private basic_versioned_tree<K> {
    using versions = basic_versioned_tree<K>;

public:
    using typename versions::cursor_type;
    using typename versions::key_type;
    using typename versions::range_type;

    /** Used by the library; no tree, if `tree` is a null pointer. */
    explicit basic_store_tree(masstree_t *tree) noexcept : versions(detail::of_store{tree}) {}
    /** Moves from `other`, which has no tree afterwards. */
    basic_store_tree(basic_store_tree &&other) noexcept = default;
    /** Moves from `other`. */
    basic_store_tree &operator=(basic_store_tree &&other) noexcept
    {
        this->forget_base();
        this->swap_base(other);
        return *this;
    }
    ~basic_store_tree() { this->forget_base(); }

    using versions::operator bool;
    using versions::handle;

    using versions::enter;
    using versions::get;
    using versions::get_many;
    using versions::newest;
    using versions::operands;

    using versions::count;
    using versions::cursor_at;
    using versions::estimate;
    using versions::scan;
    using versions::scan_delimited;
    using versions::scan_keys;
    using versions::scan_versions;
    using versions::version_cursor;

    using versions::check;
    using versions::dump;
    using versions::empty;
    using versions::memory_held;
    using versions::open_snapshot;
    using versions::size;
    using versions::stats;
    using versions::stats_json;
    using versions::trim;
    using versions::version_stats;
};

/** A tree of a store whose keys are byte strings. */
using store_tree = basic_store_tree<>;

/** What a write demands of the key. */
class condition {
public:
    /** That it has no value. */
    [[nodiscard]] static condition absent() noexcept { return condition(MASSTREE_IF_ABSENT); }
    /** That it has a value. */
    [[nodiscard]] static condition present() noexcept { return condition(MASSTREE_IF_PRESENT); }
    /** That it has the value that this commit stored. */
    [[nodiscard]] static condition version(std::uint64_t commit) noexcept
    {
        condition made(MASSTREE_IF_VERSION);
        made.c_.seqno = commit;
        return made;
    }
    /** That it has this value; the bytes are read when the condition is used. */
    [[nodiscard]] static condition value(std::string_view bytes) noexcept
    {
        condition made(MASSTREE_IF_VALUE);
        made.c_.value = bytes.data();
        made.c_.value_len = bytes.size();
        return made;
    }

    /** Used by the library. */
    [[nodiscard]] const masstree_store_condition_t &to_c() const noexcept { return c_; }

private:
    explicit condition(std::uint32_t kind) noexcept { c_.kind = kind; }

    masstree_store_condition_t c_{};
};

namespace detail {

/** The bytes of a key. */
template <class K> typename key_traits<K>::bytes bytes_of(K key) noexcept
{
    return typename key_traits<K>::bytes(key);
}

template <class F>
std::int32_t visit_open(const masstree_open_snapshot_t *open, void *ctx) noexcept
{
    auto &self = *static_cast<frame<F> *>(ctx);
    return self.carried.run([&] {
        return visit(self.callee, open->seqno, std::chrono::milliseconds(open->age_ms));
    });
}

} // namespace detail

} // namespace masstree

#endif
