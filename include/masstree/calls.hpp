/**
 * @file
 * Selects functions of libmasstree's C interface by the type of the key: bytes, or an integer.
 * Part of masstree.hpp; nothing here is for users.
 */
#ifndef MASSTREE_CALLS_HPP
#define MASSTREE_CALLS_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#pragma GCC visibility pop

#include "key.hpp"

namespace masstree::detail {

/** A key for the _u64 functions. */
struct word_key {
    std::uint64_t word;
};

inline masstree_slice_t encode(std::string_view key) noexcept { return slice_of(key); }

template <class K, class = std::enable_if_t<is_integer_key<K>>> word_key encode(K key) noexcept
{
    return {integer_key<K>::to_word(key)};
}

/** C functions for byte keys. */
struct byte_calls {
    using key = masstree_slice_t;
    using word = std::uint64_t;
    using status = std::int32_t;

    static status get(const masstree_t *t, masstree_guard_t *g, key k, word *v) noexcept
    {
        return masstree_get(t, g, k.data, k.len, v);
    }
    static status get_observed(const masstree_t *t, masstree_guard_t *g, key k, word *v,
                               masstree_observation_t *leaf) noexcept
    {
        return masstree_get_observed(t, g, k.data, k.len, v, leaf);
    }
    static status contains(const masstree_t *t, masstree_guard_t *g, key k) noexcept
    {
        return masstree_contains(t, g, k.data, k.len);
    }
    static status put(masstree_t *t, masstree_guard_t *g, key k, word v) noexcept
    {
        return masstree_put(t, g, k.data, k.len, v);
    }
    static status exchange(masstree_t *t, masstree_guard_t *g, key k, word v, word *old) noexcept
    {
        return masstree_exchange(t, g, k.data, k.len, v, old);
    }
    static status insert(masstree_t *t, masstree_guard_t *g, key k, word v, word *now) noexcept
    {
        return masstree_insert(t, g, k.data, k.len, v, now);
    }
    static status remove(masstree_t *t, masstree_guard_t *g, key k, word *old) noexcept
    {
        return masstree_remove(t, g, k.data, k.len, old);
    }
    static status replace(masstree_t *t, masstree_guard_t *g, key k, word v, word *old) noexcept
    {
        return masstree_replace(t, g, k.data, k.len, v, old);
    }
    static status compare_exchange(masstree_t *t, masstree_guard_t *g, key k, word expected,
                                   word desired, word *actual) noexcept
    {
        return masstree_compare_exchange(t, g, k.data, k.len, expected, desired, actual);
    }
    static status remove_if_equal(masstree_t *t, masstree_guard_t *g, key k, word expected,
                                  word *actual) noexcept
    {
        return masstree_remove_if_equal(t, g, k.data, k.len, expected, actual);
    }
    static status update(masstree_t *t, masstree_guard_t *g, key k, masstree_update_t f,
                         void *ctx) noexcept
    {
        return masstree_update(t, g, k.data, k.len, f, ctx, nullptr);
    }
    static status add(masstree_t *t, masstree_guard_t *g, key k, word more, word *sum) noexcept
    {
        return masstree_add(t, g, k.data, k.len, more, sum);
    }
    static status get_or_insert_with(masstree_t *t, masstree_guard_t *g, key k,
                                     masstree_make_value_t f, void *ctx, word *v) noexcept
    {
        return masstree_get_or_insert_with(t, g, k.data, k.len, f, ctx, v);
    }
    static status seek(masstree_cursor_t *c, key k, std::uint32_t how) noexcept
    {
        return masstree_cursor_seek(c, k.data, k.len, how);
    }
    static status get_many(const masstree_t *t, masstree_guard_t *g, const key *k, std::size_t n,
                           word *v, status *s) noexcept
    {
        return masstree_get_many(t, g, k, n, v, s);
    }
    static status put_many(masstree_t *t, masstree_guard_t *g, const key *k, const word *v,
                           std::size_t n, status *s) noexcept
    {
        return masstree_put_many(t, g, k, v, n, s);
    }
    static status insert_many(masstree_t *t, masstree_guard_t *g, const key *k, const word *v,
                              std::size_t n, word *now, status *s) noexcept
    {
        return masstree_insert_many(t, g, k, v, n, now, s);
    }
    static status remove_many(masstree_t *t, masstree_guard_t *g, const key *k, std::size_t n,
                              word *old, status *s) noexcept
    {
        return masstree_remove_many(t, g, k, n, old, s);
    }
    static status bulk_load(masstree_t *t, masstree_guard_t *g, const key *k, const word *v,
                            std::size_t n, std::size_t *offender) noexcept
    {
        return masstree_bulk_load(t, g, k, v, n, offender);
    }
    static status loader_add(masstree_loader_t *l, const key *k, const word *v, std::size_t n,
                             std::size_t *added) noexcept
    {
        return masstree_loader_add_many(l, k, v, n, added);
    }
};

/** C functions for integer keys. */
struct word_calls {
    using key = word_key;
    using word = std::uint64_t;
    using status = std::int32_t;

    static status get(const masstree_t *t, masstree_guard_t *g, key k, word *v) noexcept
    {
        return masstree_get_u64(t, g, k.word, v);
    }
    static status get_observed(const masstree_t *t, masstree_guard_t *g, key k, word *v,
                               masstree_observation_t *leaf) noexcept
    {
        return masstree_get_u64_observed(t, g, k.word, v, leaf);
    }
    static status contains(const masstree_t *t, masstree_guard_t *g, key k) noexcept
    {
        return masstree_contains_u64(t, g, k.word);
    }
    static status put(masstree_t *t, masstree_guard_t *g, key k, word v) noexcept
    {
        return masstree_put_u64(t, g, k.word, v);
    }
    static status exchange(masstree_t *t, masstree_guard_t *g, key k, word v, word *old) noexcept
    {
        return masstree_exchange_u64(t, g, k.word, v, old);
    }
    static status insert(masstree_t *t, masstree_guard_t *g, key k, word v, word *now) noexcept
    {
        return masstree_insert_u64(t, g, k.word, v, now);
    }
    static status remove(masstree_t *t, masstree_guard_t *g, key k, word *old) noexcept
    {
        return masstree_remove_u64(t, g, k.word, old);
    }
    static status replace(masstree_t *t, masstree_guard_t *g, key k, word v, word *old) noexcept
    {
        return masstree_replace_u64(t, g, k.word, v, old);
    }
    static status compare_exchange(masstree_t *t, masstree_guard_t *g, key k, word expected,
                                   word desired, word *actual) noexcept
    {
        return masstree_compare_exchange_u64(t, g, k.word, expected, desired, actual);
    }
    static status remove_if_equal(masstree_t *t, masstree_guard_t *g, key k, word expected,
                                  word *actual) noexcept
    {
        return masstree_remove_if_equal_u64(t, g, k.word, expected, actual);
    }
    static status update(masstree_t *t, masstree_guard_t *g, key k, masstree_update_t f,
                         void *ctx) noexcept
    {
        return masstree_update_u64(t, g, k.word, f, ctx, nullptr);
    }
    static status add(masstree_t *t, masstree_guard_t *g, key k, word more, word *sum) noexcept
    {
        return masstree_add_u64(t, g, k.word, more, sum);
    }
    static status get_or_insert_with(masstree_t *t, masstree_guard_t *g, key k,
                                     masstree_make_value_t f, void *ctx, word *v) noexcept
    {
        return masstree_get_or_insert_with_u64(t, g, k.word, f, ctx, v);
    }
    static status seek(masstree_cursor_t *c, key k, std::uint32_t how) noexcept
    {
        return masstree_cursor_seek_u64(c, k.word, how);
    }
    static status get_many(const masstree_t *t, masstree_guard_t *g, const key *k, std::size_t n,
                           word *v, status *s) noexcept
    {
        return masstree_get_many_u64(t, g, k, sizeof *k, n, v, s);
    }
    static status put_many(masstree_t *t, masstree_guard_t *g, const key *k, const word *v,
                           std::size_t n, status *s) noexcept
    {
        return masstree_put_many_u64(t, g, k, sizeof *k, v, n, s);
    }
    static status insert_many(masstree_t *t, masstree_guard_t *g, const key *k, const word *v,
                              std::size_t n, word *now, status *s) noexcept
    {
        return masstree_insert_many_u64(t, g, k, sizeof *k, v, n, now, s);
    }
    static status remove_many(masstree_t *t, masstree_guard_t *g, const key *k, std::size_t n,
                              word *old, status *s) noexcept
    {
        return masstree_remove_many_u64(t, g, k, sizeof *k, n, old, s);
    }
    static status bulk_load(masstree_t *t, masstree_guard_t *g, const key *k, const word *v,
                            std::size_t n, std::size_t *offender) noexcept
    {
        return masstree_bulk_load_u64(t, g, k, sizeof *k, v, n, offender);
    }
    static status loader_add(masstree_loader_t *l, const key *k, const word *v, std::size_t n,
                             std::size_t *added) noexcept
    {
        return masstree_loader_add_many_u64(l, k, sizeof *k, v, n, added);
    }
};

template <class K>
using calls = std::conditional_t<key_traits<K>::is_integer, word_calls, byte_calls>;

} // namespace masstree::detail

#endif
