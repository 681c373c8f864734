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
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#pragma GCC visibility pop

#include "batch.hpp"
#include "held.hpp"
#include "many.hpp"
#include "pop.hpp"
#include "view.hpp"

namespace masstree {

/**
 * An ordered map from K to T, which any number of threads use at the same time.
 *
 * T is a trivially copyable type of at most 8 bytes: a number, an enumeration, a plain pointer, a
 * small struct. Or it is std::unique_ptr<E, D>: then the tree owns the objects, and destroys those
 * that leave it with its own deleter D once no guard protects them. Values are passed as
 * std::unique_ptr, which keeps the object if the tree does not store it; they are read as plain
 * pointers, under a guard, and taken out of the tree as `taken`.
 *
 * K is std::string_view, bytes of any value and length in the order of memcmp; or an integer of at
 * most 8 bytes, in numeric order (see integer_key). The tree copies keys.
 *
 * Movable. Moves, swap and the destructor require that no other thread uses the tree. Guards,
 * cursors, views and `taken` must be destroyed before the destructor runs, but survive a move. Any
 * thread may call all other functions at any time; const functions take no lock. Operations on one
 * key are atomic, and take O(length of the key + log n); those that return no value that the tree
 * owns inline to one call of the C interface.
 *
 * Callbacks may throw: the exception leaves the function that the callback was passed to.
 */
template <class T, class K = std::string_view> class tree : public tree_many<T, K> {
    using parts = tree_many<T, K>;
    using typename parts::base, typename parts::calls, typename parts::many, typename parts::results,
        typename parts::traits;
    using argument = typename traits::argument;
    using store = detail::deleter_of<T>;

public:
    /** Whether the tree owns the objects that its values point to. */
    static constexpr bool owns_values = traits::owned;
    /** The type of the keys. */
    using key_type = K;
    /** The type of values that are stored. */
    using value_type = T;
    /** The type in which values are read: T, or the plain pointer. */
    using typename parts::view_type;
    /** The type of values taken out of the tree: T, or `taken`. */
    using taken_type = typename detail::taken_of<T>::type;
    /** The context of functions that read a value: with a guard, if the tree owns it. */
    using typename parts::view_context;
    /** The result of compare_exchange and remove_if_equal. */
    using comparison_type = typename results::comparison_type;
    /** The tree's cursors. */
    using cursor_type = basic_cursor<K, detail::word_steps<T>>;
    /** The result of items(). */
    using items_type = items_view<K, detail::word_steps<T>>;
    /** The type of the deleter: D, or an empty type for words. */
    using deleter_type = typename store::type;

    /** Creates an empty tree. After an error in an std::error_code, operator bool is false. */
    explicit tree(errors report = {}) : tree(options{}, deleter_type{}, report) {}
    /** Creates an empty tree. */
    explicit tree(const options &wanted, errors report = {}) : tree(wanted, deleter_type{}, report)
    {
    }
    /** Creates an empty tree whose values `deleter` destroys, on any thread, without throwing. */
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

    /** Moves from `other`, which has no tree afterwards. */
    tree(tree &&other) noexcept = default;
    /** Destroys this tree and moves from `other`. */
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

    /** The value of `key`, if it exists. */
    [[nodiscard]] std::optional<view_type> get(K key, view_context with = {}) const
    {
        std::uint64_t word;
        const std::int32_t status =
            calls::get(base::handle(), with.handle(), detail::encode(key), &word);
        with.note(status);
        return results::view_if(status == MASSTREE_OK, word);
    }

    /**
     * The longest key that is a prefix of `key`: its length, and its value. There is a moment of the
     * call at which it was the longest one.
     */
    [[nodiscard]] std::optional<prefix_match<view_type>> longest_prefix(K key,
                                                                        view_context with = {}) const
    {
        static_assert(!is_integer_key<K>, "only byte strings have prefixes");
        std::size_t length;
        std::uint64_t word;
        const std::int32_t status = masstree_longest_prefix(
            base::handle(), with.handle(), key.data(), key.size(), &length, &word);
        with.note(status);
        const std::optional<view_type> found = results::view_if(status == MASSTREE_OK, word);
        if (!found)
            return std::nullopt;
        return prefix_match<view_type>{length, *found};
    }

    /** Stores a value under `key`, whether the key exists or not. */
    void put(K key, argument value, context with = {})
    {
        const std::int32_t status = calls::put(base::handle(), with.handle(),
                                               detail::encode(key), traits::to_word(value));
        results::accept_if(status == MASSTREE_OK, value);
        with.note(status);
    }

    /**
     * Stores a value under `key`, and returns the previous one. Storing the very value that the key
     * already has displaces nothing: a tree that owns its values then returns none.
     */
    [[nodiscard]] std::optional<taken_type> exchange(K key, argument value, context with = {})
    {
        const std::uint64_t word = traits::to_word(value);
        std::uint64_t old = word;
        const std::int32_t status =
            calls::exchange(base::handle(), with.handle(), detail::encode(key), word, &old);
        results::accept_if(status >= 0, value);
        with.note(status);
        return displaced_if(status, old);
    }

    /** Stores a value only if `key` is absent, and returns whether it did. */
    [[nodiscard]] bool insert(K key, argument value, context with = {})
    {
        const std::int32_t status = calls::insert(
            base::handle(), with.handle(), detail::encode(key), traits::to_word(value), nullptr);
        results::accept_if(status == MASSTREE_OK, value);
        with.note(status);
        return status == MASSTREE_OK;
    }

    /** Stores a value only if `key` is absent, and returns the value that the key then has. */
    [[nodiscard]] std::optional<insertion<view_type>> get_or_insert(K key, argument value,
                                                                    view_context with = {})
    {
        std::uint64_t word = traits::to_word(value);
        const std::int32_t status = calls::insert(base::handle(), with.handle(),
                                                  detail::encode(key), word, &word);
        results::accept_if(status == MASSTREE_OK, value);
        return results::insertion_of(status, word, with);
    }

    /**
     * The value of `key`; if it is absent, inserts the result of `make()`, which is called at most
     * once, under the lock of a leaf: it must be quick, and not call into the tree.
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
        return results::insertion_of(status, word, with);
    }

    /** Stores a value only if `key` exists, and returns whether it exists. */
    [[nodiscard]] bool replace(K key, argument value, context with = {})
    {
        const std::int32_t status = calls::replace(
            base::handle(), with.handle(), detail::encode(key), traits::to_word(value), nullptr);
        results::accept_if(results::was_there(status), value);
        with.note(status);
        return results::was_there(status);
    }

    /** Stores a value only if `key` exists, and returns the previous one, as exchange does. */
    [[nodiscard]] std::optional<taken_type> exchange_if_present(K key, argument value,
                                                                context with = {})
    {
        const std::uint64_t word = traits::to_word(value);
        std::uint64_t old = word;
        const std::int32_t status =
            calls::replace(base::handle(), with.handle(), detail::encode(key), word, &old);
        results::accept_if(results::was_there(status), value);
        with.note(status);
        return displaced_if(status, old);
    }

    /** Removes `key`, and returns its value. */
    [[nodiscard]] std::optional<taken_type> take(K key, context with = {})
    {
        std::uint64_t old;
        const std::int32_t status =
            calls::remove(base::handle(), with.handle(), detail::encode(key), &old);
        with.note(status);
        return taken_if(status == MASSTREE_OK, old);
    }

    /** Removes the smallest key of a range; returns it with its value. See masstree_pop_first. */
    [[nodiscard]] std::optional<std::pair<detail::owned_key<K>, taken_type>>
    pop_first(const range<K> &keys = {}, context with = {})
    {
        return popped(masstree_pop_first, keys, with);
    }

    /** Removes the greatest key of a range; returns it with its value. See masstree_pop_last. */
    [[nodiscard]] std::optional<std::pair<detail::owned_key<K>, taken_type>>
    pop_last(const range<K> &keys = {}, context with = {})
    {
        return popped(masstree_pop_last, keys, with);
    }

    /** Stores `desired` only if `key` has the value `expected`, bit by bit. */
    [[nodiscard]] comparison_type compare_exchange(K key, view_type expected, argument desired,
                                                   context with = {})
    {
        std::uint64_t actual = 0;
        const std::int32_t status = calls::compare_exchange(
            base::handle(), with.handle(), detail::encode(key), results::comparable(expected),
            traits::to_word(desired), owns_values ? nullptr : &actual);
        results::accept_if(status == MASSTREE_OK, desired);
        return results::comparison_of(status, actual, with);
    }

    /** Removes `key` only if it has the value `expected`, bit by bit. */
    [[nodiscard]] comparison_type remove_if_equal(K key, view_type expected, context with = {})
    {
        std::uint64_t actual = 0;
        const std::int32_t status = calls::remove_if_equal(
            base::handle(), with.handle(), detail::encode(key), results::comparable(expected),
            owns_values ? nullptr : &actual);
        return results::comparison_of(status, actual, with);
    }

    /**
     * Changes `key` atomically as `decide(std::optional<view_type> present)` decides, which returns
     * a T, `keep_value` or `remove_key` (see change). It is called once, under the lock of a leaf:
     * it must be quick, and not call into the tree. If it throws, nothing changes.
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
     * Adds `more` to the value of `key`, modulo 2^64, or stores `more` if the key is absent. Returns the
     * new value; 0 after an error that an std::error_code received.
     */
    T add(K key, T more, context with = {})
    {
        static_assert(std::is_integral_v<T> && sizeof(T) == sizeof(std::uint64_t),
                      "numbers of 64 bits are added");
        std::uint64_t sum = 0;
        with.note(calls::add(base::handle(), with.handle(), detail::encode(key),
                             traits::to_word(more), &sum));
        return traits::from_word(sum);
    }

    /**
     * Draws `count` keys at random, and calls `visit(K key, view_type value)` for each, as scan does.
     * `state` is any number at first, the seed; each call advances it. Returns the number of keys
     * visited; see masstree_sample on how likely each is.
     */
    template <class F>
    std::size_t sample(std::uint64_t &state, std::size_t count, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        detail::frame<callee> frame{visit};
        std::size_t visited = 0;
        const std::int32_t status =
            masstree_sample(base::handle(), with.handle(), &state, count,
                            detail::visit_words<K, T, callee>::items, &frame, &visited);
        frame.carried.rethrow();
        with.note(status);
        return visited;
    }

    /**
     * Finds `key`, and locks its leaf until the result releases it: for reading a key, doing
     * something else, and then changing it. Makes room for an absent key, unless `wanted` says
     * otherwise. See masstree::held.
     */
    held<T, K> hold(K key, guarded with, room wanted = room::to_insert)
    {
        return held<T, K>(base::handle(), key, store_.state(), wanted, with);
    }
    /** Deleted: the bytes of the key must outlive the result. */
    template <class A, class = detail::if_temporary<K, A>>
    held<T, K> hold(A &&key, guarded with, room wanted = room::to_insert) = delete;

    /**
     * Like hold, but never waits, allocates or changes a leaf: the result is empty, and its `busy`
     * returns true, if the key cannot be held at once. That is so for every key of more than eight
     * bytes, and under a guard that records.
     */
    held<T, K> try_hold(K key, guarded with, room wanted = room::to_insert)
    {
        return held<T, K>(base::handle(), key, store_.state(), wanted, with, waiting::none);
    }
    /** Deleted: the bytes of the key must outlive the result. */
    template <class A, class = detail::if_temporary<K, A>>
    held<T, K> try_hold(A &&key, guarded with, room wanted = room::to_insert) = delete;

    /**
     * Calls `visit(K key, view_type value)` for each key of a range, in order; it returns void or a
     * masstree::flow. A key's bytes are valid during the call. Keys that are in the tree during the
     * whole scan are visited exactly once, others at most once. The visitor may call any function
     * on the tree, but must not refresh or leave the scan's guard. Returns the number of keys
     * visited.
     */
    template <class F>
    std::size_t scan(const range<K> &keys, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        return scan_with(keys, 0, detail::visit_words<K, T, callee>::items, visit, with);
    }

    /**
     * Scans, but rolls up the keys of a range in which the delimiter occurs after the range's prefix:
     * calls `visit_prefix(std::string_view prefix)` once for all that begin alike up to and including
     * the delimiter. The next page begins `after` the last key or prefix. Returns the number of calls of
     * both; see masstree_scan_delimited.
     */
    template <class F, class P>
    std::size_t scan_delimited(const range<K> &keys, std::string_view delimiter, F &&visit,
                               P &&visit_prefix, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        const masstree_range_t c = keys.to_c();
        return base::listed(visit, visit_prefix, with, [&](auto prefix, void *ctx, auto &count) {
            return masstree_scan_delimited(base::handle(), with.handle(), &c, delimiter.data(),
                                           delimiter.size(),
                                           detail::visit_words<K, T, callee>::items, prefix, ctx,
                                           &count);
        });
    }

    /** Calls `visit(view_type value)` for each key of a range, in order, as scan does. */
    template <class F>
    std::size_t scan_values(const range<K> &keys, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        return scan_with(keys, MASSTREE_SCAN_VALUES_ONLY,
                         detail::visit_words<K, T, callee>::values, visit, with);
    }

    /** Reads that pass the leaves which prove them to `on_leaf`: see observed_tree. */
    template <class L> observed_tree<T, K, L> observed(L &on_leaf) const noexcept
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

    /** Like remove_many, but writes an std::optional<taken_type> for each key to `out`. */
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

private:
    /** The previous value of a key; none if the tree still owns it. */
    std::optional<taken_type> displaced_if(std::int32_t status, std::uint64_t word) noexcept
    {
        return taken_if(owns_values ? status == MASSTREE_OK : results::was_there(status), word);
    }

    template <class P>
    std::optional<std::pair<detail::owned_key<K>, taken_type>> popped(P *pop, const range<K> &keys,
                                                                      context with)
    {
        const masstree_range_t c = keys.to_c();
        detail::popped_key<K> key;
        std::uint64_t word = 0;
        const std::int32_t status = key.take([&](void *buffer, std::size_t size, std::size_t *len) {
            return pop(base::handle(), with.handle(), &c, buffer, size, len, &word);
        });
        with.note(status);
        if (status != MASSTREE_OK)
            return std::nullopt;
        return std::pair(std::move(key).get(), *taken_if(true, word));
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
