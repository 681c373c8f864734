/**
 * @file
 * Functions for many keys at once, of the trees of words of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_MANY_HPP
#define MASSTREE_MANY_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <type_traits>
#include <vector>
#pragma GCC visibility pop

#include "base.hpp"
#include "batch.hpp"

namespace masstree {

/** The part of masstree::tree that reads and writes the keys of containers. */
template <class T, class K> class tree_many : public tree_base<K> {
protected:
    /** The handle. */
    using base = tree_base<K>;
    /** What values are as words. */
    using traits = detail::value_traits<T>;
    /** The C functions for the keys. */
    using calls = detail::calls<K>;
    /** What words are as results. */
    using results = detail::word_results<T>;
    /** Batches of keys and words. */
    using many = detail::word_batches<T, K>;

public:
    /** The type in which values are read: T, or the plain pointer. */
    using view_type = typename traits::view;
    /** The context of functions that read a value: with a guard, if the tree owns it. */
    using view_context = std::conditional_t<traits::owned, guarded, context>;

    /**
     * Looks up the keys of a container in batches, and writes an std::optional<view_type> for each
     * to `out`. A batch is not atomic. Returns the end of the output.
     */
    template <class Keys, class Out, class = detail::if_output<Out>>
    Out get_many(const Keys &keys, Out out, view_context with = {}) const
    {
        many::read(
            keys, with,
            [&](auto &b, std::size_t n) {
                return calls::get_many(base::handle(), with.handle(), b.keys, n, b.results,
                                       b.statuses);
            },
            [&](auto &b, std::size_t n) {
                for (std::size_t i = 0; i < n; ++i)
                    *out++ = results::view_if(b.statuses[i] == MASSTREE_OK, b.results[i]);
            });
        return out;
    }

    /** Looks up the keys of a container in batches. */
    template <class Keys>
    [[nodiscard]] std::vector<std::optional<view_type>> get_many(const Keys &keys,
                                                                 view_context with = {}) const
    {
        std::vector<std::optional<view_type>> values;
        values.reserve(detail::length(keys));
        get_many(keys, std::back_inserter(values), with);
        return values;
    }

    /**
     * Stores the values of one container under the keys of another, in their order. Returns how
     * many were stored: all, unless an error occurred; the other items were tried even then. Moves
     * from each std::unique_ptr that was stored.
     */
    template <class Keys, class Values>
    std::size_t put_many(const Keys &keys, Values &&values, context with = {})
    {
        std::size_t stored = 0;
        many::write(
            keys, values, with,
            [&](auto &b, std::size_t n) {
                return calls::put_many(base::handle(), with.handle(), b.keys, b.values, n,
                                       b.statuses);
            },
            [&](auto &b, std::size_t n) { stored += b.successes(n); });
        return stored;
    }

    /** Like put_many, but stores only under absent keys. Returns how many values were stored. */
    template <class Keys, class Values>
    std::size_t insert_many(const Keys &keys, Values &&values, context with = {})
    {
        std::size_t inserted = 0;
        many::write(
            keys, values, with,
            [&](auto &b, std::size_t n) {
                return calls::insert_many(base::handle(), with.handle(), b.keys, b.values, n,
                                          nullptr, b.statuses);
            },
            [&](auto &b, std::size_t n) { inserted += b.successes(n); });
        return inserted;
    }

    /**
     * Like insert_many, but writes an std::optional<insertion<view_type>> for each key to `out`;
     * none for keys with an error.
     */
    template <class Keys, class Values, class Out>
    Out get_or_insert_many(const Keys &keys, Values &&values, Out out, view_context with = {})
    {
        many::write(
            keys, values, with,
            [&](auto &b, std::size_t n) {
                return calls::insert_many(base::handle(), with.handle(), b.keys, b.values, n,
                                          b.results, b.statuses);
            },
            [&](auto &b, std::size_t n) {
                for (std::size_t i = 0; i < n; ++i) {
                    const bool inserted = b.statuses[i] == MASSTREE_OK;
                    const auto word = inserted ? b.values[i] : b.results[i];
                    *out++ = results::insertion_if(b.statuses[i], word);
                }
            });
        return out;
    }

    /** Removes the keys of a container. Returns the number of keys removed. */
    template <class Keys> std::size_t remove_many(const Keys &keys, context with = {})
    {
        std::size_t removed = 0;
        many::read(
            keys, with,
            [&](auto &b, std::size_t n) {
                return calls::remove_many(base::handle(), with.handle(), b.keys, n, nullptr,
                                          b.statuses);
            },
            [&](auto &b, std::size_t n) { removed += b.successes(n); });
        return removed;
    }

    /**
     * Fills an empty tree with ascending keys, all at once: returns false if the tree is not empty.
     * If it fails, nothing changes, and `offender` receives the index of the key with an error.
     * See masstree::load_from and masstree::loader for keys that are not in one container.
     */
    template <class Keys, class Values>
    [[nodiscard]] bool bulk_load(const Keys &keys, Values &&values, context with = {},
                                 std::size_t *offender = nullptr)
    {
        const std::int32_t status =
            many::load(keys, values, [&](auto *all_keys, auto *all_values, std::size_t n) {
                return calls::bulk_load(base::handle(), with.handle(), all_keys, all_values, n,
                                        offender);
            });
        with.note(status);
        return status == MASSTREE_OK;
    }

protected:
    /** For masstree::tree only. */
    tree_many() noexcept = default;
    /** Moves nothing of its own. */
    tree_many(tree_many &&) noexcept = default;
    ~tree_many() = default;
};

} // namespace masstree

#endif
