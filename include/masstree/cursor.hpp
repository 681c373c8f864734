/**
 * @file
 * Cursors of the C++ interface of libmasstree, and views for range-for. Part of masstree.hpp.
 */
#ifndef MASSTREE_CURSOR_HPP
#define MASSTREE_CURSOR_HPP

#pragma GCC visibility push(default)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#pragma GCC visibility pop

#include "base.hpp"

namespace masstree {

/** Which key a cursor seeks. */
enum class seek : std::uint32_t {
    /** The first key greater than or equal to the given one. */
    at_least = MASSTREE_SEEK_GE,
    /** The first key greater than the given one. */
    above = MASSTREE_SEEK_GT,
    /** The last key less than or equal to the given one. */
    at_most = MASSTREE_SEEK_LE,
    /** The last key less than the given one. */
    below = MASSTREE_SEEK_LT
};

/** A key and its value. */
template <class K, class V> struct item {
    /** The key. */
    K key;
    /** Its value. */
    V value;
};

namespace detail {

/** C functions of cursors and views for words. */
template <class T> struct word_steps {
    using raw = std::uint64_t;
    using view = typename value_traits<T>::view;
    static constexpr auto value = masstree_cursor_value;
    static constexpr auto next_many = masstree_cursor_next_many;
    static constexpr auto prev_many = masstree_cursor_prev_many;
    static constexpr auto scan = masstree_scan;
    static view decode(raw word) noexcept { return value_traits<T>::from_word(word); }

    /** A visitor that appends keys and values to a collection. */
    template <class C>
    static std::int32_t add(const void *key, std::size_t len, raw word, void *ctx) noexcept
    {
        return static_cast<C *>(ctx)->add(key, len, word);
    }
};

/** C functions of cursors and views for byte strings. */
struct byte_steps {
    using raw = masstree_slice_t;
    using view = std::string_view;
    static constexpr auto value = masstree_cursor_value_bytes;
    static constexpr auto next_many = masstree_cursor_next_many_bytes;
    static constexpr auto prev_many = masstree_cursor_prev_many_bytes;
    static constexpr auto scan = masstree_scan_bytes;
    static view decode(raw slice) noexcept { return view_of(slice); }

    template <class C>
    static std::int32_t add(const void *key, std::size_t len, const void *bytes,
                            std::size_t bytes_len, void *ctx) noexcept
    {
        return static_cast<C *>(ctx)->add(key, len, {bytes, bytes_len});
    }
};

} // namespace detail

/**
 * A position in a tree, from which it moves key by key in either direction; `tree.cursor()` makes
 * one.
 *
 * Movable; the destructor closes it. It reads under the guard it was made with, or under its own,
 * and must be closed before that guard is left; one thread at a time uses it. Each step shows the
 * tree as it is at that moment: no change of the tree invalidates a cursor. A function that returns
 * false, or fails, does not move the cursor. A step costs a look-up at most; for many keys, a scan,
 * or the view that tree::items returns, is several times faster.
 */
template <class K, class Steps> class [[nodiscard]] basic_cursor {
public:
    /** The type of the keys. */
    using key_type = K;
    /** The type in which values are read. */
    using value_type = typename Steps::view;
    /** A key and its value. */
    using item_type = item<K, value_type>;

    /** A cursor without a tree. */
    basic_cursor() noexcept = default;
    /** Made by tree::cursor. */
    basic_cursor(const masstree_t *tree, context with)
    {
        with.note(masstree_cursor_open(tree, with.handle(), &handle_));
    }
    /** Moves from `other`, which has no tree afterwards. */
    basic_cursor(basic_cursor &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    /** Closes this cursor and moves from `other`. */
    basic_cursor &operator=(basic_cursor &&other) noexcept
    {
        basic_cursor closed(std::move(other));
        std::swap(handle_, closed.handle_);
        return *this;
    }
    ~basic_cursor() { masstree_cursor_close(handle_); }

    /** Whether it was opened, and not moved from. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }
    /** The C handle; this object keeps owning it. */
    [[nodiscard]] masstree_cursor_t *handle() const noexcept { return handle_; }

    /** Moves to the key nearest to `key`: false if there is none. */
    [[nodiscard]] bool seek(K key, masstree::seek how = masstree::seek::at_least,
                            errors report = {})
    {
        return answer(detail::calls<K>::seek(handle_, detail::encode(key),
                                             static_cast<std::uint32_t>(how)),
                      report);
    }
    /** Moves to the first key: false if the tree is empty. */
    [[nodiscard]] bool first(errors report = {})
    {
        return answer(masstree_cursor_first(handle_), report);
    }
    /** Moves to the last key: false if the tree is empty. */
    [[nodiscard]] bool last(errors report = {})
    {
        return answer(masstree_cursor_last(handle_), report);
    }
    /** Moves to the next greater key (a new cursor: to the first): false if none exists yet. */
    [[nodiscard]] bool next(errors report = {})
    {
        return answer(masstree_cursor_next(handle_), report);
    }
    /** Moves to the next smaller key (a new cursor: to the last): false if none exists yet. */
    [[nodiscard]] bool prev(errors report = {})
    {
        return answer(masstree_cursor_prev(handle_), report);
    }

    /** The current key, valid until the cursor moves; none if the cursor is new. */
    [[nodiscard]] std::optional<K> key(errors report = {}) const &
    {
        masstree_slice_t slice{};
        if (!answer(masstree_cursor_key(handle_, &slice), report))
            return std::nullopt;
        return detail::key_traits<K>::from_slice(slice.data, slice.len);
    }
    /** Deleted: the key's bytes would not outlive a temporary cursor. */
    template <class C = K, class = std::enable_if_t<!detail::key_traits<C>::is_integer>>
    std::optional<K> key(errors report = {}) const && = delete;

    /**
     * The value that the current key had when the cursor reached it. After a refresh of the guard
     * it is looked up again: none if the key was removed. Memory that it refers to stays valid
     * until the guard is refreshed or left.
     */
    [[nodiscard]] std::optional<value_type> value(errors report = {}) const
    {
        typename Steps::raw raw{};
        if (!answer(Steps::value(handle_, &raw), report))
            return std::nullopt;
        return Steps::decode(raw);
    }

    /**
     * Moves over the next keys, at most `room` of them and at most 64, and stores them and their
     * values in `items`. Returns their number; 0: no next key exists yet. The keys are valid until
     * the cursor moves.
     */
    [[nodiscard]] std::size_t next_many(item_type *items, std::size_t room, errors report = {})
    {
        return many(Steps::next_many, items, room, report);
    }
    /** next_many towards smaller keys. */
    [[nodiscard]] std::size_t prev_many(item_type *items, std::size_t room, errors report = {})
    {
        return many(Steps::prev_many, items, room, report);
    }

    /** Records, from the next call on, the leaves that each call of this cursor reads. */
    void track(errors report = {}) { report.note(masstree_cursor_track(handle_)); }

    /**
     * Passes the leaves that the last seek or step has read to `on_leaf(const observation &)`, such
     * as a set of observations. They prove its result: the key that it reached, or that none
     * exists.
     */
    template <class L> void observations(L &on_leaf, errors report = {}) const
    {
        const observation *leaves = nullptr;
        std::size_t count = 0;
        report.note(masstree_cursor_observations(handle_, &leaves, &count));
        for (std::size_t i = 0; i < count; ++i)
            on_leaf(leaves[i]);
    }

    /** Refreshes the cursor's own guard, if it has one; the cursor stays at its key. */
    void refresh() noexcept { masstree_cursor_refresh(handle_); }

private:
    static bool answer(std::int32_t status, const errors &report)
    {
        report.note(status);
        return status == MASSTREE_OK;
    }

    template <class F>
    std::size_t many(F step, item_type *items, std::size_t room, const errors &report)
    {
        constexpr std::size_t most = 64;
        masstree_slice_t keys[most];
        typename Steps::raw values[most];
        std::size_t count = 0;
        if (!answer(step(handle_, keys, values, std::min(room, most), &count), report))
            return 0;
        for (std::size_t i = 0; i < count; ++i)
            items[i] = {detail::key_traits<K>::from_slice(keys[i].data, keys[i].len),
                        Steps::decode(values[i])};
        return count;
    }

    masstree_cursor_t *handle_ = nullptr;
};

} // namespace masstree

#endif
