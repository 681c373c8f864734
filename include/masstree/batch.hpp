/**
 * @file
 * Passes containers of keys and values to the batch functions of libmasstree's C interface. Part of
 * masstree.hpp; nothing here is for users.
 */
#ifndef MASSTREE_BATCH_HPP
#define MASSTREE_BATCH_HPP

#pragma GCC visibility push(default)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#pragma GCC visibility pop

#include "base.hpp"

namespace masstree::detail {

/** Distinguishes an iterator from a context. */
template <class Out> using if_output = std::enable_if_t<!std::is_convertible_v<Out &, context>>;

/** Number of items passed to the C interface at a time, in arrays on the stack. */
inline constexpr std::size_t batch = 256;

template <class C> std::size_t length(const C &container)
{
    return static_cast<std::size_t>(std::distance(std::begin(container), std::end(container)));
}

/** An array for the items of a whole container; a null pointer if memory runs out. */
template <class V> std::unique_ptr<V[]> array_of(std::size_t size)
{
    return std::unique_ptr<V[]>(new (std::nothrow) V[size == 0 ? 1 : size]);
}

template <class I, class = void> inline constexpr bool is_forward_iterator = false;
template <class I>
inline constexpr bool
    is_forward_iterator<I, std::void_t<typename std::iterator_traits<I>::iterator_category>> =
        std::is_base_of_v<std::forward_iterator_tag,
                          typename std::iterator_traits<I>::iterator_category>;

/**
 * Whether a view of a container's item stays valid while other items are read. A string that an
 * iterator creates, or contains, does not.
 */
template <class C> constexpr bool items_stay() noexcept
{
    using iterator = decltype(std::begin(std::declval<C &>()));
    using reference = decltype(*std::declval<iterator &>());
    if constexpr (!owns_bytes<std::remove_reference_t<reference>>)
        return true;
    else
        return std::is_reference_v<reference> && is_forward_iterator<iterator>;
}

/** The keys of trees of words as the C interface takes them. */
template <class K> struct word_tree_key {
    static constexpr bool is_view = !key_traits<K>::is_integer;
    using type = typename calls<K>::key;
    using store = char;
    static type make(K key, store &) noexcept { return encode(key); }
};

/** The keys of trees of byte strings: slices; if K is an integer, their bytes are in `store`. */
template <class K> struct byte_tree_key {
    static constexpr bool is_view = !key_traits<K>::is_integer;
    using type = masstree_slice_t;
    using store = std::conditional_t<key_traits<K>::is_integer, char[8], char>;
    static type make(K key, store &bytes) noexcept
    {
        if constexpr (key_traits<K>::is_integer) {
            const integer_key<K> encoded(key);
            std::memcpy(bytes, encoded.view().data(), 8);
            return {bytes, 8};
        } else {
            return slice_of(key);
        }
    }
};

/** The values of trees of words. */
template <class T> struct word_tree_value {
    static constexpr bool is_view = false;
    using type = std::uint64_t;
    template <class V> static type make(const V &value) noexcept
    {
        if constexpr (value_traits<T>::owned)
            return value_traits<T>::to_word(value);
        else
            return value_traits<T>::to_word(static_cast<T>(value));
    }
    template <class V> static void accept(V &&value) noexcept
    {
        if constexpr (value_traits<T>::owned) {
            static_assert(std::is_reference_v<V>, "what the iterators of the values make is lost");
            value_traits<T>::accept(value);
        }
    }
};

/** The values of trees of byte strings. */
struct byte_tree_value {
    static constexpr bool is_view = true;
    using type = masstree_slice_t;
    static type make(std::string_view value) noexcept { return slice_of(value); }
    template <class V> static void accept(V &&) noexcept {}
};

/**
 * Splits containers into batches. `call(b, n)` calls the C function for n items of b, whose
 * statuses are set to an error before; `emit(b, n)` then uses the results. Reports the first error
 * after trying every batch.
 */
template <class K, class Key, class Value> struct batches {
    using raw = typename Value::type;

    struct buffers {
        typename Key::type keys[batch];
        typename Key::store stores[batch];
        raw values[batch];
        raw results[batch];
        std::int32_t statuses[batch];

        std::size_t successes(std::size_t count) const noexcept
        {
            return static_cast<std::size_t>(
                std::count(statuses, statuses + count, std::int32_t{MASSTREE_OK}));
        }
    };

    template <class Keys, class Call, class Emit>
    static void read(const Keys &keys, const errors &report, Call &&call, Emit &&emit)
    {
        static_assert(!Key::is_view || items_stay<const Keys>(),
                      "the iterators of the keys must not create or contain the strings");
        buffers b;
        std::int32_t first = MASSTREE_OK;
        auto key = std::begin(keys);
        const auto end = std::end(keys);
        while (key != end) {
            std::size_t count = 0;
            for (; key != end && count < batch; ++key, ++count)
                b.keys[count] = Key::make(*key, b.stores[count]);
            std::fill_n(b.statuses, count, std::int32_t{MASSTREE_INVALID});
            const std::int32_t status = call(b, count);
            if (first >= 0)
                first = status;
            emit(b, count);
        }
        report.note(first);
    }

    template <class Keys, class Values, class Call, class Emit>
    static void write(const Keys &keys, Values &values, const errors &report, Call &&call,
                      Emit &&emit)
    {
        static_assert(!Value::is_view || items_stay<Values>(),
                      "the iterators of the values must not create or contain the strings");
        if (length(keys) != length(values))
            return report.fail(errc::invalid);
        auto next = std::begin(values);
        read(
            keys, report,
            [&](buffers &b, std::size_t count) {
                auto value = next;
                for (std::size_t i = 0; i < count; ++i, ++value)
                    b.values[i] = Value::make(*value);
                const std::int32_t status = call(b, count);
                for (std::size_t i = 0; i < count; ++i, ++next) {
                    if (b.statuses[i] == MASSTREE_OK)
                        Value::accept(*next);
                }
                return status;
            },
            emit);
    }

    /** Passes everything in one call, `call(keys, values, n)`, and returns its status. */
    template <class Keys, class Values, class Call>
    static std::int32_t load(const Keys &keys, Values &values, Call &&call)
    {
        static_assert(!Key::is_view || items_stay<const Keys>(),
                      "the iterators of the keys must not create or contain the strings");
        static_assert(!Value::is_view || items_stay<Values>(),
                      "the iterators of the values must not create or contain the strings");
        const std::size_t count = length(keys);
        if (count != length(values))
            return MASSTREE_INVALID;
        const auto all_keys = array_of<typename Key::type>(count);
        const auto stores = array_of<typename Key::store>(count);
        const auto all_values = array_of<raw>(count);
        if (all_keys == nullptr || stores == nullptr || all_values == nullptr)
            return MASSTREE_NOMEM;
        std::size_t i = 0;
        for (const auto &key : keys) {
            all_keys[i] = Key::make(key, stores[i]);
            ++i;
        }
        i = 0;
        for (const auto &value : values)
            all_values[i++] = Value::make(value);
        const std::int32_t status = call(all_keys.get(), all_values.get(), count);
        if (status == MASSTREE_OK) {
            for (auto &&value : values)
                Value::accept(std::forward<decltype(value)>(value));
        }
        return status;
    }
};

template <class T, class K>
using word_batches = batches<K, word_tree_key<K>, word_tree_value<T>>;
template <class K> using byte_batches = batches<K, byte_tree_key<K>, byte_tree_value>;

} // namespace masstree::detail

#endif
