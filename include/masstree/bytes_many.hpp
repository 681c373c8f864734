/**
 * @file
 * Functions for many keys at once, of the trees of byte strings of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_BYTES_MANY_HPP
#define MASSTREE_BYTES_MANY_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>
#pragma GCC visibility pop

#include "base.hpp"
#include "batch.hpp"

namespace masstree {

/** The part of masstree::basic_bytes_tree that reads and writes the keys of containers. */
template <class K> class bytes_many : public tree_base<K> {
    using base = tree_base<K>;
    using many = detail::byte_batches<K>;

public:
    /** Looks up the keys of a container; writes an std::optional<std::string_view> for each. */
    template <class Keys, class Out, class = detail::if_output<Out>>
    Out get_many(const Keys &keys, Out out, guarded with) const
    {
        many::read(
            keys, with,
            [&](auto &b, std::size_t n) {
                return masstree_get_many_bytes(base::handle(), with.handle(), b.keys, n, b.results,
                                               b.statuses);
            },
            [&](auto &b, std::size_t n) {
                for (std::size_t i = 0; i < n; ++i)
                    *out++ = detail::view_if(b.statuses[i] == MASSTREE_OK, b.results[i]);
            });
        return out;
    }

    /** Looks up the keys of a container in batches. */
    template <class Keys>
    [[nodiscard]] std::vector<std::optional<std::string_view>> get_many(const Keys &keys,
                                                                        guarded with) const
    {
        std::vector<std::optional<std::string_view>> values;
        values.reserve(detail::length(keys));
        get_many(keys, std::back_inserter(values), with);
        return values;
    }

    /** Stores the values of one container under the keys of another; see tree::put_many. */
    template <class Keys, class Values>
    std::size_t put_many(const Keys &keys, const Values &values, context with = {})
    {
        std::size_t stored = 0;
        many::write(
            keys, values, with,
            [&](auto &b, std::size_t n) {
                return masstree_put_many_bytes(base::handle(), with.handle(), b.keys, b.values, n,
                                               b.statuses);
            },
            [&](auto &b, std::size_t n) { stored += b.successes(n); });
        return stored;
    }

    /** Removes the keys of a container. Returns the number of keys removed. */
    template <class Keys> std::size_t remove_many(const Keys &keys, context with = {})
    {
        std::size_t removed = 0;
        many::read(
            keys, with,
            [&](auto &b, std::size_t n) {
                return masstree_remove_many(base::handle(), with.handle(), b.keys, n, nullptr,
                                            b.statuses);
            },
            [&](auto &b, std::size_t n) { removed += b.successes(n); });
        return removed;
    }

    /** Fills an empty tree with ascending keys, all at once; see tree::bulk_load. */
    template <class Keys, class Values>
    [[nodiscard]] bool bulk_load(const Keys &keys, const Values &values, context with = {},
                                 std::size_t *offender = nullptr)
    {
        const std::int32_t status =
            many::load(keys, values, [&](auto *all_keys, auto *all_values, std::size_t n) {
                return masstree_bulk_load_bytes(base::handle(), with.handle(), all_keys,
                                                all_values, n, offender);
            });
        with.note(status);
        return status == MASSTREE_OK;
    }

protected:
    /** For masstree::basic_bytes_tree only. */
    bytes_many() noexcept = default;
    /** Moves nothing of its own. */
    bytes_many(bytes_many &&) noexcept = default;
    ~bytes_many() = default;
};

} // namespace masstree

#endif
