/**
 * @file
 * Trees of byte strings in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_BYTES_TREE_HPP
#define MASSTREE_BYTES_TREE_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#pragma GCC visibility pop

#include "batch.hpp"
#include "bytes_many.hpp"
#include "pop.hpp"
#include "view.hpp"

namespace masstree {

/**
 * An ordered map from K to byte strings, which the tree copies. The documentation of tree applies.
 * Functions that return a value as std::string_view do not copy it, and require a guard: the bytes
 * stay valid and unchanged while it is held, even if the key is removed. For all other functions
 * the guard is optional.
 */
template <class K = std::string_view> class basic_bytes_tree : public bytes_many<K> {
    using base = tree_base<K>;
    using key_bytes = typename detail::key_traits<K>::bytes;

public:
    /** The type of the keys. */
    using key_type = K;
    /** The type in which values are read. */
    using view_type = std::string_view;
    /** The tree's cursors. */
    using cursor_type = basic_cursor<K, detail::byte_steps>;
    /** The result of items(). */
    using items_type = items_view<K, detail::byte_steps>;

    /** Creates an empty tree. After an error in an std::error_code, operator bool is false. */
    explicit basic_bytes_tree(errors report = {}) : basic_bytes_tree(options{}, report) {}
    /** Creates an empty tree. */
    explicit basic_bytes_tree(const options &wanted, errors report = {})
    {
        masstree_options_t c = MASSTREE_OPTIONS_INIT;
        c.value_kind = MASSTREE_VALUES_BYTES;
        this->create(wanted, c, report);
    }
    /** Moves from `other`, which has no tree afterwards. */
    basic_bytes_tree(basic_bytes_tree &&other) noexcept = default;
    /** Destroys this tree and moves from `other`. */
    basic_bytes_tree &operator=(basic_bytes_tree &&other) noexcept
    {
        basic_bytes_tree destroyed(std::move(*this));
        swap(other);
        return *this;
    }
    ~basic_bytes_tree() { this->destroy_base(); }
    /** Exchanges two trees. */
    void swap(basic_bytes_tree &other) noexcept { this->swap_base(other); }

    /** The value of `key`, if it exists, valid while the guard is held. */
    [[nodiscard]] std::optional<std::string_view> get(K key, guarded with) const
    {
        const key_bytes bytes(key);
        masstree_slice_t value;
        const std::int32_t status = masstree_get_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(), &value);
        return view_when(status == MASSTREE_OK, status, value, with);
    }

    /** As tree::longest_prefix; the value is valid while the guard is held. */
    [[nodiscard]] std::optional<prefix_match<std::string_view>> longest_prefix(K key,
                                                                               guarded with) const
    {
        static_assert(!is_integer_key<K>, "only byte strings have prefixes");
        std::size_t length;
        masstree_slice_t value;
        const std::int32_t status = masstree_longest_prefix_bytes(
            base::handle(), with.handle(), key.data(), key.size(), &length, &value);
        const std::optional<std::string_view> found =
            view_when(status == MASSTREE_OK, status, value, with);
        if (!found)
            return std::nullopt;
        return prefix_match<std::string_view>{length, *found};
    }

    /** A copy of the value of `key`, if it exists. */
    [[nodiscard]] std::optional<std::string> copy(K key, context with = {}) const
    {
        const key_bytes bytes(key);
        std::string copy(inline_size, '\0');
        for (;;) {
            std::size_t len = 0;
            const std::int32_t status =
                masstree_copy_bytes(base::handle(), with.handle(), bytes.view().data(),
                                  bytes.view().size(), copy.data(), copy.size(), &len);
            // The value may have grown since its size was read.
            if (status == MASSTREE_OK || status == MASSTREE_TOO_SMALL)
                copy.resize(len);
            if (status == MASSTREE_TOO_SMALL)
                continue;
            with.note(status);
            if (status == MASSTREE_OK)
                return copy;
            return std::nullopt;
        }
    }

    /**
     * Copies the value of `key` to `buffer`, and returns its length, if it exists. Leaves a buffer
     * that is too small unchanged.
     */
    [[nodiscard]] std::optional<std::size_t> copy(K key, char *buffer, std::size_t capacity,
                                                      context with = {}) const
    {
        const key_bytes bytes(key);
        std::size_t len = 0;
        const std::int32_t status =
            masstree_copy_bytes(base::handle(), with.handle(), bytes.view().data(),
                              bytes.view().size(), buffer, capacity, &len);
        const bool found = status == MASSTREE_OK || status == MASSTREE_TOO_SMALL;
        with.note(found ? MASSTREE_OK : status);
        if (!found)
            return std::nullopt;
        return len;
    }

    /** Stores a value under `key`, whether the key exists or not. */
    void put(K key, std::string_view value, context with = {})
    {
        const key_bytes bytes(key);
        with.note(masstree_put_bytes(base::handle(), with.handle(), bytes.view().data(),
                                     bytes.view().size(), value.data(), value.size()));
    }

    /** Stores a value under `key`, and returns the previous one. */
    [[nodiscard]] std::optional<std::string_view> exchange(K key, std::string_view value,
                                                           guarded with)
    {
        const key_bytes bytes(key);
        masstree_slice_t old;
        const std::int32_t status = masstree_exchange_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(), value.data(),
            value.size(), &old);
        return view_when(status == MASSTREE_OK, status, old, with);
    }

    /** Stores a value only if `key` is absent, and returns whether it did. */
    [[nodiscard]] bool insert(K key, std::string_view value, context with = {})
    {
        const key_bytes bytes(key);
        const std::int32_t status = masstree_insert_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(), value.data(),
            value.size(), nullptr);
        with.note(status);
        return status == MASSTREE_OK;
    }

    /**
     * Stores a value only if `key` is absent, and returns the existing one otherwise; none if it
     * stored the value.
     */
    [[nodiscard]] std::optional<std::string_view>
    insert_or_get(K key, std::string_view value, guarded with)
    {
        const key_bytes bytes(key);
        masstree_slice_t present;
        const std::int32_t status = masstree_insert_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(), value.data(),
            value.size(), &present);
        return view_when(status == MASSTREE_EXISTS, status, present, with);
    }

    /** Stores a value only if `key` exists, and returns whether it did. */
    [[nodiscard]] bool replace(K key, std::string_view value, context with = {})
    {
        const key_bytes bytes(key);
        const std::int32_t status = masstree_replace_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(), value.data(),
            value.size(), nullptr);
        with.note(status);
        return status == MASSTREE_OK;
    }

    /** Stores a value only if `key` exists, and returns the previous one. */
    [[nodiscard]] std::optional<std::string_view>
    exchange_if_present(K key, std::string_view value, guarded with)
    {
        const key_bytes bytes(key);
        masstree_slice_t old;
        const std::int32_t status = masstree_replace_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(), value.data(),
            value.size(), &old);
        return view_when(status == MASSTREE_OK, status, old, with);
    }

    /** Removes `key`, and returns its value, valid while the guard is held. */
    [[nodiscard]] std::optional<std::string_view> take(K key, guarded with)
    {
        const key_bytes bytes(key);
        masstree_slice_t old;
        const std::int32_t status = masstree_remove_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(), &old);
        return view_when(status == MASSTREE_OK, status, old, with);
    }

    /**
     * Removes the smallest key of a range; returns it with its value, which is valid while the guard is
     * held. See masstree_pop_first.
     */
    [[nodiscard]] std::optional<std::pair<detail::owned_key<K>, std::string_view>>
    pop_first(const range<K> &keys, guarded with)
    {
        return popped(masstree_pop_first_bytes, keys, with);
    }

    /**
     * Removes the greatest key of a range; returns it with its value, which is valid while the guard is
     * held. See masstree_pop_last.
     */
    [[nodiscard]] std::optional<std::pair<detail::owned_key<K>, std::string_view>>
    pop_last(const range<K> &keys, guarded with)
    {
        return popped(masstree_pop_last_bytes, keys, with);
    }

    /** Stores `desired` only if the value of `key` is `expected`, byte for byte. */
    [[nodiscard]] comparison<void> compare_exchange(K key, std::string_view expected,
                                                    std::string_view desired, context with = {})
    {
        const key_bytes bytes(key);
        const std::int32_t status = masstree_compare_exchange_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(),
            detail::slice_of(expected), detail::slice_of(desired), nullptr);
        return comparison_of(status, with);
    }

    /** Stores `desired` only if the value is `expected`; otherwise writes the value to `actual`. */
    [[nodiscard]] comparison<void> compare_exchange(K key, std::string_view expected,
                                                    std::string_view desired,
                                                    std::string_view &actual, guarded with)
    {
        const key_bytes bytes(key);
        masstree_slice_t present;
        const std::int32_t status = masstree_compare_exchange_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(),
            detail::slice_of(expected), detail::slice_of(desired), &present);
        if (status == MASSTREE_MISMATCH)
            actual = detail::view_of(present);
        return comparison_of(status, with);
    }

    /** Removes `key` only if its value is `expected`, byte for byte. */
    [[nodiscard]] comparison<void> remove_if_equal(K key, std::string_view expected,
                                                   context with = {})
    {
        const key_bytes bytes(key);
        const std::int32_t status = masstree_remove_if_equal_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(),
            detail::slice_of(expected), nullptr);
        return comparison_of(status, with);
    }

    /** Removes `key` only if its value is `expected`; otherwise writes the value to `actual`. */
    [[nodiscard]] comparison<void> remove_if_equal(K key, std::string_view expected,
                                                   std::string_view &actual, guarded with)
    {
        const key_bytes bytes(key);
        masstree_slice_t present;
        const std::int32_t status = masstree_remove_if_equal_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(),
            detail::slice_of(expected), &present);
        if (status == MASSTREE_MISMATCH)
            actual = detail::view_of(present);
        return comparison_of(status, with);
    }

    /**
     * Changes `key` atomically as `decide(std::optional<std::string_view> present)` decides, which
     * returns a std::string, `keep_value` or `remove_key` (see change). No lock is held while it
     * runs; it is called again if another thread has changed the key meanwhile. If it throws,
     * nothing changes.
     */
    template <class F> void update(K key, F &&decide, context with = {})
    {
        using callee = std::remove_reference_t<F>;
        const key_bytes bytes(key);
        detail::bytes_frame<callee> frame(decide);
        const std::int32_t status = masstree_update_bytes(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(),
            detail::run_update_bytes<callee>, &frame, nullptr);
        frame.carried.rethrow();
        with.note(status);
    }

    /**
     * Appends `more` to the value of `key`, or stores it if the key is absent; atomically. Returns the
     * length of the new value.
     */
    std::size_t append(K key, std::string_view more, context with = {})
    {
        const key_bytes bytes(key);
        std::size_t len = 0;
        with.note(masstree_append_bytes(base::handle(), with.handle(), bytes.view().data(),
                                        bytes.view().size(), more.data(), more.size(), &len));
        return len;
    }

    /** Draws keys at random, as tree::sample does. */
    template <class F>
    std::size_t sample(std::uint64_t &state, std::size_t count, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        detail::frame<callee> frame{visit};
        std::size_t visited = 0;
        const std::int32_t status =
            masstree_sample_bytes(base::handle(), with.handle(), &state, count,
                                  detail::visit_bytes<K, callee>::items, &frame, &visited);
        frame.carried.rethrow();
        with.note(status);
        return visited;
    }

    /**
     * Calls `visit(K key, std::string_view value)` for each key of a range, as tree::scan does.
     * The value's bytes are valid while the guard is held; without a guard, during the call.
     */
    template <class F>
    std::size_t scan(const range<K> &keys, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        return scan_with(keys, 0, detail::visit_bytes<K, callee>::items, visit, with);
    }

    /** Scans with keys rolled up to common prefixes, as tree::scan_delimited does. */
    template <class F, class P>
    std::size_t scan_delimited(const range<K> &keys, std::string_view delimiter, F &&visit,
                               P &&visit_prefix, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        const masstree_range_t c = keys.to_c();
        return base::listed(visit, visit_prefix, with, [&](auto prefix, void *ctx, auto &count) {
            return masstree_scan_delimited_bytes(base::handle(), with.handle(), &c,
                                                 delimiter.data(), delimiter.size(),
                                                 detail::visit_bytes<K, callee>::items, prefix, ctx,
                                                 &count);
        });
    }

    /** Calls `visit(std::string_view value)` for each key of a range, as scan does. */
    template <class F>
    std::size_t scan_values(const range<K> &keys, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        return scan_with(keys, MASSTREE_SCAN_VALUES_ONLY, detail::visit_bytes<K, callee>::values,
                         visit, with);
    }

    /** Reads that pass the leaves which prove them to `on_leaf`: see observed_tree. */
    template <class L> observed_bytes_tree<K, L> observed(L &on_leaf) const noexcept
    {
        return {base::handle(), on_leaf};
    }

    /** The keys and values of a range, for range-for. */
    [[nodiscard]] items_type items(const range<K> &keys = {}, lasting with = {}) const
    {
        return items_type(base::handle(), keys, with);
    }

    /** Opens a cursor, which has no current key yet; without a guard it has its own. */
    [[nodiscard]] cursor_type cursor(lasting with = {}) const
    {
        return cursor_type(base::handle(), with);
    }

private:
    /** First size that copy tries: what most std::string store without an allocation. */
    static constexpr std::size_t inline_size = 15;

    static std::optional<std::string_view> view_when(bool there, std::int32_t status,
                                                     masstree_slice_t value, const context &with)
    {
        with.note(status);
        return detail::view_if(there, value);
    }

    template <class P>
    std::optional<std::pair<detail::owned_key<K>, std::string_view>>
    popped(P *pop, const range<K> &keys, const guarded &with)
    {
        const masstree_range_t c = keys.to_c();
        detail::popped_key<K> key;
        masstree_slice_t value = {nullptr, 0};
        const std::int32_t status = key.take([&](void *buffer, std::size_t size, std::size_t *len) {
            return pop(base::handle(), with.handle(), &c, buffer, size, len, &value);
        });
        with.note(status);
        if (status != MASSTREE_OK)
            return std::nullopt;
        return std::pair(std::move(key).get(), detail::view_of(value));
    }

    static comparison<void> comparison_of(std::int32_t status, const context &with)
    {
        with.note(status);
        comparison<void> result;
        if (status >= 0)
            result.outcome = static_cast<outcome>(status);
        return result;
    }

    template <class F>
    std::size_t scan_with(const range<K> &keys, std::uint32_t flags,
                          masstree_bytes_visitor_t visitor, F &callee, const context &with) const
    {
        const masstree_range_t c = keys.to_c(flags);
        detail::frame<F> frame{callee};
        std::size_t visited = 0;
        const std::int32_t status =
            masstree_scan_bytes(base::handle(), with.handle(), &c, visitor, &frame, &visited);
        frame.carried.rethrow();
        with.note(status);
        return visited;
    }
};

/** An ordered map from byte strings to byte strings. */
using bytes_tree = basic_bytes_tree<>;

} // namespace masstree

#endif
