/**
 * @file
 * Trees of words, and of pointers that the tree owns, in the C++ interface of libmasstree. Part of
 * masstree.hpp.
 */
#ifndef MASSTREE_TREE_HPP
#define MASSTREE_TREE_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#pragma GCC visibility pop

#include "batch.hpp"
#include "held.hpp"
#include "view.hpp"

namespace masstree {

/**
 * An ordered map from K to T, that any number of threads use at once.
 *
 * T is what may be copied byte by byte and has at most 8 bytes: numbers, enumerations, plain
 * pointers, small structs. Or it is std::unique_ptr<E, D>: then the tree owns what the pointers
 * point to, and destroys what leaves it with a deleter D of its own once no guard protects it.
 * Values go in as std::unique_ptr, and stay in the caller's if they were not accepted; they are
 * seen as plain pointers, which need a guard; what is taken out comes as `taken`.
 *
 * K is std::string_view, bytes of any value and length in the order of memcmp; or an integer of at
 * most 8 bytes, in numeric order (see integer_key). The tree copies keys.
 *
 * Movable, which needs the tree for itself, as do the destructor and swap: guards, cursors, views
 * and `taken` must be gone before the destructor runs, but survive a move. All other
 * functions may be called by any thread at any time; those that are const take no lock. Operations
 * on one key are atomic, and take O(length of the key + log n); those that give
 * nothing of the tree's owned values inline to one call of the C interface.
 *
 * Callbacks may throw: the exception comes out of the function that was given the callback.
 */
template <class T, class K = std::string_view> class tree : public tree_base<K> {
    using base = tree_base<K>;
    using traits = detail::value_traits<T>;
    using calls = detail::calls<K>;
    using argument = typename traits::argument;
    using store = detail::deleter_of<T>;
    using many = detail::word_batches<T, K>;

public:
    /** Whether the tree owns what its values point to. */
    static constexpr bool owns_values = traits::owned;
    /** The type of the keys. */
    using key_type = K;
    /** What goes in. */
    using value_type = T;
    /** What is seen of a value: T, or the plain pointer. */
    using view_type = typename traits::view;
    /** What is taken out: T, or `taken`. */
    using taken_type = typename detail::taken_of<T>::type;
    /** What tells of a value seen: with a guard that must be kept, if the tree owns it. */
    using view_context = std::conditional_t<owns_values, guarded, context>;
    /** What compare_exchange and remove_if_equal answer. */
    using comparison_type = comparison<std::conditional_t<owns_values, void, T>>;
    /** The tree's cursors. */
    using cursor_type = basic_cursor<K, detail::word_steps<T>>;
    /** What items() gives. */
    using items_type = items_view<K, detail::word_steps<T>>;
    /** Where the deleter comes from: nothing, or D. */
    using deleter_type = typename store::type;

    /** Makes an empty tree. After an error in an std::error_code, operator bool says false. */
    explicit tree(errors report = {}) : tree(options{}, deleter_type{}, report) {}
    /** Makes an empty tree. */
    explicit tree(const options &wanted, errors report = {}) : tree(wanted, deleter_type{}, report)
    {
    }
    /** Makes an empty tree whose values `deleter` destroys, on any thread, without throwing. */
    tree(const options &wanted, deleter_type deleter, errors report = {})
        : store_(std::move(deleter))
    {
        masstree_options_t c = MASSTREE_OPTIONS_INIT;
        c.value_destructor = store::destructor;
        c.value_ctx = store_.state();
        if (store_)
            this->create(wanted, c, report);
        else
            report.fail(errc::no_memory);
    }

    /** Takes over `other`, which is no tree then. */
    tree(tree &&other) noexcept = default;
    /** Destroys this tree and takes over `other`. */
    tree &operator=(tree &&other) noexcept
    {
        tree destroyed(std::move(*this));
        swap(other);
        return *this;
    }
    ~tree() { this->destroy_base(); }
    /** Exchanges two trees. */
    void swap(tree &other) noexcept
    {
        this->swap_base(other);
        std::swap(store_, other.store_);
    }

    /** The value of `key`, if it is there. */
    [[nodiscard]] std::optional<view_type> get(K key, view_context with = {}) const
    {
        std::uint64_t word;
        const std::int32_t status =
            calls::get(base::handle(), with.handle(), detail::encode(key), &word);
        with.note(status);
        return view_if(status == MASSTREE_OK, word);
    }

    /** Stores a value under `key`, whether the key is there or not. */
    void put(K key, argument value, context with = {})
    {
        const std::int32_t status = calls::put(base::handle(), with.handle(),
                                               detail::encode(key), traits::to_word(value));
        accept_if(status == MASSTREE_OK, value);
        with.note(status);
    }

    /**
     * Stores a value under `key`, and gives the one that was there. A value that is stored where
     * it is already is not displaced: a tree that owns it gives nothing.
     */
    [[nodiscard]] std::optional<taken_type> exchange(K key, argument value, context with = {})
    {
        const std::uint64_t word = traits::to_word(value);
        std::uint64_t old = word;
        const std::int32_t status =
            calls::exchange(base::handle(), with.handle(), detail::encode(key), word, &old);
        accept_if(status >= 0, value);
        with.note(status);
        return displaced_if(status, old);
    }

    /** Stores a value only if `key` is absent, and says whether it did. */
    [[nodiscard]] bool insert(K key, argument value, context with = {})
    {
        const std::int32_t status = calls::insert(
            base::handle(), with.handle(), detail::encode(key), traits::to_word(value), nullptr);
        accept_if(status == MASSTREE_OK, value);
        with.note(status);
        return status == MASSTREE_OK;
    }

    /** Stores a value only if `key` is absent, and gives the one there in the end. */
    [[nodiscard]] std::optional<insertion<view_type>> get_or_insert(K key, argument value,
                                                                    view_context with = {})
    {
        std::uint64_t word = traits::to_word(value);
        const std::int32_t status = calls::insert(base::handle(), with.handle(),
                                                  detail::encode(key), word, &word);
        accept_if(status == MASSTREE_OK, value);
        return insertion_of(status, word, with);
    }

    /**
     * The value of `key`; if it is absent, `make()` gives one, which is inserted. It is called
     * at most once, under the lock of a leaf: it must be quick, and not call into the tree.
     */
    template <class F>
    [[nodiscard]] std::optional<insertion<view_type>> get_or_insert_with(K key, F &&make,
                                                                         view_context with = {})
    {
        using callee = std::remove_reference_t<F>;
        detail::frame<callee> frame{make};
        std::uint64_t word;
        const std::int32_t status =
            calls::get_or_insert_with(base::handle(), with.handle(), detail::encode(key),
                                      detail::run_make<T, callee>, &frame, &word);
        frame.carried.rethrow();
        return insertion_of(status, word, with);
    }

    /** Stores a value only if `key` is there, and says whether it did. */
    [[nodiscard]] bool replace(K key, argument value, context with = {})
    {
        const std::int32_t status = calls::replace(
            base::handle(), with.handle(), detail::encode(key), traits::to_word(value), nullptr);
        accept_if(was_there(status), value);
        with.note(status);
        return was_there(status);
    }

    /** Stores a value only if `key` is there, and gives the one that was there, as exchange does. */
    [[nodiscard]] std::optional<taken_type> exchange_if_present(K key, argument value,
                                                                context with = {})
    {
        const std::uint64_t word = traits::to_word(value);
        std::uint64_t old = word;
        const std::int32_t status =
            calls::replace(base::handle(), with.handle(), detail::encode(key), word, &old);
        accept_if(was_there(status), value);
        with.note(status);
        return displaced_if(status, old);
    }

    /** Removes `key`, and gives the value it had. */
    [[nodiscard]] std::optional<taken_type> take(K key, context with = {})
    {
        std::uint64_t old;
        const std::int32_t status =
            calls::remove(base::handle(), with.handle(), detail::encode(key), &old);
        with.note(status);
        return taken_if(status == MASSTREE_OK, old);
    }

    /** Stores `desired` only if `key` has the value `expected`, bit by bit. */
    [[nodiscard]] comparison_type compare_exchange(K key, view_type expected, argument desired,
                                                   context with = {})
    {
        // Not written where it is desired, too, and so not displaced.
        std::uint64_t actual = comparable(expected);
        const std::int32_t status = calls::compare_exchange(
            base::handle(), with.handle(), detail::encode(key), comparable(expected),
            traits::to_word(desired), owns_values ? nullptr : &actual);
        accept_if(status == MASSTREE_OK, desired);
        return comparison_of(status, actual, with);
    }

    /** Removes `key` only if it has the value `expected`, bit by bit. */
    [[nodiscard]] comparison_type remove_if_equal(K key, view_type expected, context with = {})
    {
        std::uint64_t actual = 0;
        const std::int32_t status = calls::remove_if_equal(
            base::handle(), with.handle(), detail::encode(key), comparable(expected),
            owns_values ? nullptr : &actual);
        return comparison_of(status, actual, with);
    }

    /**
     * Changes `key` as `decide(std::optional<view_type> present)` answers with a T, `keep_value`
     * or `remove_key` (see change), with nothing in between. It is called once, under the lock of
     * a leaf: it must be quick, and not call into the tree. If it throws, nothing changes.
     */
    template <class F> void update(K key, F &&decide, context with = {})
    {
        using callee = std::remove_reference_t<F>;
        detail::frame<callee> frame{decide};
        const std::int32_t status =
            calls::update(base::handle(), with.handle(), detail::encode(key),
                          detail::run_update<T, callee>, &frame);
        frame.carried.rethrow();
        with.note(status);
    }

    /**
     * Finds `key`, and locks its leaf until the result lets go: for what must look at a key, do
     * something else, and then change it. With room for the key if it is absent, unless that is
     * not wanted. See masstree::held.
     */
    held<T, K> hold(K key, guarded with, room wanted = room::to_insert)
    {
        return held<T, K>(base::handle(), key, store_.state(), wanted, with);
    }
    /** A key must be kept for as long as it is held. */
    template <class A, class = detail::if_temporary<K, A>>
    held<T, K> hold(A &&key, guarded with, room wanted = room::to_insert) = delete;

    /**
     * Calls `visit(K key, view_type value)` for each key of a range, in order; it returns nothing,
     * or a masstree::flow. A key's bytes are valid during the call. Keys that are in the tree
     * during the whole scan are visited exactly once, others at most once. The visitor may
     * call any function on the tree, but must leave the scan's guard alone. Returns how many keys
     * were visited.
     */
    template <class F>
    std::size_t scan(const range<K> &keys, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        return scan_with(keys, 0, detail::visit_words<K, T, callee>::items, visit, with);
    }

    /** Calls `visit(view_type value)` for each key of a range, in order, as scan does. */
    template <class F>
    std::size_t scan_values(const range<K> &keys, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        return scan_with(keys, MASSTREE_SCAN_VALUES_ONLY,
                         detail::visit_words<K, T, callee>::values, visit, with);
    }

    /** Reads that show the leaves which prove them to `on_leaf`: see observed_tree. */
    template <class L> observed_tree<T, K, L> observing(L &on_leaf) const noexcept
    {
        return {base::handle(), on_leaf};
    }

    /** The keys and values of a range, for range-for. */
    [[nodiscard]] items_type items(const range<K> &keys = {}, lasting with = {}) const
    {
        return items_type(base::handle(), keys, with);
    }

    /** Makes a cursor, which is at no key yet; without a guard it has one of its own. */
    [[nodiscard]] cursor_type cursor(lasting with = {}) const
    {
        return cursor_type(base::handle(), with);
    }

    /**
     * Looks up the keys of a container, many at once, and writes an std::optional<view_type> for
     * each to `out`. The batch is not atomic. Returns `out` behind the last.
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
                    *out++ = view_if(b.statuses[i] == MASSTREE_OK, b.results[i]);
            });
        return out;
    }

    /** Looks up the keys of a container, many at once. */
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
     * many were stored: all, but for an error, after which the others were tried nevertheless.
     * Of std::unique_ptr those are moved from that were stored.
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

    /** Stores values as put_many, but only under keys that are absent. Returns how many. */
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
     * insert_many that writes an std::optional<insertion<view_type>> for each key to `out`, with
     * nothing for keys at fault.
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
                    *out++ = insertion_if(b.statuses[i], inserted ? b.values[i] : b.results[i]);
                }
            });
        return out;
    }

    /** Removes the keys of a container. Returns how many were there. */
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

    /** Removes keys as remove_many, and writes an std::optional<taken_type> for each to `out`. */
    template <class Keys, class Out>
    Out take_many(const Keys &keys, Out out, context with = {})
    {
        many::read(
            keys, with,
            [&](auto &b, std::size_t n) {
                return calls::remove_many(base::handle(), with.handle(), b.keys, n, b.results,
                                          b.statuses);
            },
            [&](auto &b, std::size_t n) {
                for (std::size_t i = 0; i < n; ++i)
                    *out++ = taken_if(b.statuses[i] == MASSTREE_OK, b.results[i]);
            });
        return out;
    }

    /**
     * Fills an empty tree with ascending keys, all at once: false if the tree is not empty. The
     * place of a key at fault is stored at `offender`. Nothing changes if it fails.
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

private:
    static void accept_if(bool accepted, std::remove_reference_t<argument> &value) noexcept
    {
        if (accepted)
            traits::accept(value);
    }

    /** Whether a key that was to get another value was there, with that value or with another. */
    static bool was_there(std::int32_t status) noexcept
    {
        return status == MASSTREE_OK || status == MASSTREE_EXISTS;
    }

    /** What was under a key that got a value; nothing that the tree still owns. */
    std::optional<taken_type> displaced_if(std::int32_t status, std::uint64_t word) noexcept
    {
        return taken_if(owns_values ? status == MASSTREE_OK : was_there(status), word);
    }

    static std::optional<view_type> view_if(bool found, std::uint64_t word) noexcept
    {
        if (!found)
            return std::nullopt;
        return traits::from_word(word);
    }

    std::optional<taken_type> taken_if(bool found, std::uint64_t word) noexcept
    {
        if (!found)
            return std::nullopt;
        if constexpr (owns_values)
            return taken_type(base::handle(), traits::from_word(word), store_.state());
        else
            return traits::from_word(word);
    }

    static std::optional<insertion<view_type>> insertion_of(std::int32_t status, std::uint64_t word,
                                                            const context &with)
    {
        with.note(status);
        return insertion_if(status, word);
    }

    static std::optional<insertion<view_type>> insertion_if(std::int32_t status,
                                                            std::uint64_t word) noexcept
    {
        if (status < 0)
            return std::nullopt;
        return insertion<view_type>{traits::from_word(word), status == MASSTREE_OK};
    }

    static std::uint64_t comparable(const view_type &expected) noexcept
    {
        static_assert(std::has_unique_object_representations_v<view_type> ||
                          std::is_floating_point_v<view_type>,
                      "values with padding cannot be compared bit by bit");
        return traits::to_word(expected);
    }

    static comparison_type comparison_of(std::int32_t status, std::uint64_t actual,
                                         const context &with)
    {
        with.note(status);
        comparison_type result;
        if (status < 0)
            return result;
        result.outcome = static_cast<outcome>(status);
        if constexpr (!owns_values) {
            if (status != MASSTREE_NOT_FOUND)
                result.actual = traits::from_word(actual);
        }
        return result;
    }

    template <class F>
    std::size_t scan_with(const range<K> &keys, std::uint32_t flags, masstree_visitor_t visitor,
                          F &callee, const context &with) const
    {
        const masstree_range_t c = keys.to_c(flags);
        detail::frame<F> frame{callee};
        std::size_t visited = 0;
        const std::int32_t status =
            masstree_scan(base::handle(), with.handle(), &c, visitor, &frame, &visited);
        frame.carried.rethrow();
        with.note(status);
        return visited;
    }

    store store_;
};

} // namespace masstree

#endif
