/**
 * @file
 * Views of a tree for range-for in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_VIEW_HPP
#define MASSTREE_VIEW_HPP

#include "cursor.hpp"

namespace masstree {

namespace detail {

/** The bounds of a range as a view needs them: where to begin, and what lies beyond the end. */
template <class K> class walk {
public:
    walk() noexcept = default;
    explicit walk(const range<K> &keys) : range_(keys) {}

    bool is_reversed() const noexcept { return range_.is_reversed(); }
    std::size_t limit() const noexcept { return range_.to_c().limit; }

    /** MASSTREE_OK, or what a scan would answer to bounds the wrong way round. */
    std::int32_t verify() const noexcept
    {
        const masstree_range_t c = range_.to_c();
        const bool crossed = c.lower_bound != MASSTREE_BOUND_OPEN &&
                             c.upper_bound != MASSTREE_BOUND_OPEN && lower(c) > upper(c);
        return crossed ? MASSTREE_INVALID : MASSTREE_OK;
    }

    /** Moves a cursor to where the range begins, in its direction. */
    std::int32_t begin(masstree_cursor_t *cursor) const noexcept
    {
        const masstree_range_t c = range_.to_c();
        return is_reversed() ? begin_last(cursor, c) : begin_first(cursor, c);
    }

    /** Whether a key that comes after the range's beginning lies beyond its end. */
    bool is_beyond(masstree_slice_t slice) const noexcept
    {
        const masstree_range_t c = range_.to_c();
        const std::string_view key = view_of(slice);
        if (key.substr(0, c.prefix_len) != prefix(c))
            return true;
        if (is_reversed())
            return c.lower_bound != MASSTREE_BOUND_OPEN &&
                   (key < lower(c) ||
                    (c.lower_bound == MASSTREE_BOUND_EXCLUSIVE && key == lower(c)));
        return c.upper_bound != MASSTREE_BOUND_OPEN &&
               (key > upper(c) || (c.upper_bound == MASSTREE_BOUND_EXCLUSIVE && key == upper(c)));
    }

private:
    static std::string_view lower(const masstree_range_t &c) noexcept
    {
        return view_of({c.lower, c.lower_len});
    }
    static std::string_view upper(const masstree_range_t &c) noexcept
    {
        return view_of({c.upper, c.upper_len});
    }
    static std::string_view prefix(const masstree_range_t &c) noexcept
    {
        return view_of({c.prefix, c.prefix_len});
    }

    static std::int32_t begin_first(masstree_cursor_t *cursor, const masstree_range_t &c) noexcept
    {
        if (c.lower_bound != MASSTREE_BOUND_OPEN && lower(c) >= prefix(c)) {
            const std::uint32_t how =
                c.lower_bound == MASSTREE_BOUND_INCLUSIVE ? MASSTREE_SEEK_GE : MASSTREE_SEEK_GT;
            return masstree_cursor_seek(cursor, c.lower, c.lower_len, how);
        }
        return masstree_cursor_seek(cursor, c.prefix, c.prefix_len, MASSTREE_SEEK_GE);
    }

    static std::int32_t begin_last(masstree_cursor_t *cursor, const masstree_range_t &c) noexcept
    {
        // An upper bound above all keys with the prefix says nothing about where they end.
        const bool bounded = c.upper_bound != MASSTREE_BOUND_OPEN &&
                             (upper(c) < prefix(c) ||
                              upper(c).substr(0, c.prefix_len) == prefix(c));
        if (bounded) {
            const std::uint32_t how =
                c.upper_bound == MASSTREE_BOUND_INCLUSIVE ? MASSTREE_SEEK_LE : MASSTREE_SEEK_LT;
            return masstree_cursor_seek(cursor, c.upper, c.upper_len, how);
        }
        return begin_below_successor(cursor, prefix(c));
    }

    /** To the last key below the first that is above every key with this prefix. */
    static std::int32_t begin_below_successor(masstree_cursor_t *cursor,
                                              std::string_view prefix) noexcept
    {
        while (!prefix.empty() && prefix.back() == '\xff')
            prefix.remove_suffix(1);
        if (prefix.empty())
            return masstree_cursor_last(cursor);
        std::unique_ptr<char[]> successor(new (std::nothrow) char[prefix.size()]);
        if (successor == nullptr)
            return MASSTREE_NOMEM;
        std::memcpy(successor.get(), prefix.data(), prefix.size());
        char &end = successor[prefix.size() - 1];
        end = static_cast<char>(static_cast<unsigned char>(end) + 1);
        return masstree_cursor_seek(cursor, successor.get(), prefix.size(), MASSTREE_SEEK_LT);
    }

    range<K> range_;
};

} // namespace detail

/**
 * The keys and values of a range, for range-for; made by `tree.items()`:
 *
 *     for (auto [key, value] : tree.items()) ...
 *     for (auto [key, value] : tree.items(masstree::range<>{}.prefix("a").reversed())) ...
 *
 * It is gone through once, with input iterators; in C++20 it is an input range. It reads ahead, up
 * to 16 keys at a time, and shows changes of the tree as a scan does: keys strictly in order,
 * those that stay in the tree exactly once, one inserted or removed meanwhile at most once. No
 * change of the tree invalidates it. Keys are valid until the iterator is incremented; what values
 * refer to, until the guard is left or refreshed: the one that was given, or the view's own.
 *
 * Movable while nobody iterates. It must be gone before its guard and tree, and is used by one
 * thread at a time. An error ends the iteration: it is thrown, or found in the std::error_code that
 * the view was made with, which must outlive it.
 */
template <class K, class Steps> class [[nodiscard]] items_view {
    using cursor = basic_cursor<K, Steps>;

public:
    /** A key with its value. */
    using item_type = typename cursor::item_type;

    /** Where the iteration ends. */
    struct sentinel {};

    /** An input iterator over items; valid as long as its view stays where it is. */
    class iterator {
    public:
        /** For std::iterator_traits. */
        using iterator_category = std::input_iterator_tag;
        /** A key with its value. */
        using value_type = item_type;
        /** Items are made on the spot. */
        using reference = item_type;
        /** There is nothing to point to. */
        using pointer = void;
        /** For std::iterator_traits. */
        using difference_type = std::ptrdiff_t;

        /** An iterator of no view. */
        iterator() noexcept = default;
        /** Made by begin(). */
        explicit iterator(items_view *view) noexcept : view_(view) {}

        /** The item. */
        [[nodiscard]] item_type operator*() const noexcept { return view_->current(); }
        /** Goes on to the next item. */
        iterator &operator++()
        {
            view_->advance();
            return *this;
        }
        /** Goes on to the next item. */
        void operator++(int) { view_->advance(); }

        /** Whether the iteration has ended. */
        [[nodiscard]] friend bool operator==(const iterator &i, sentinel) noexcept
        {
            return i.at_end();
        }
        /** Whether the iteration has ended. */
        [[nodiscard]] friend bool operator==(sentinel s, const iterator &i) noexcept
        {
            return i == s;
        }
        /** Whether there is an item. */
        [[nodiscard]] friend bool operator!=(const iterator &i, sentinel s) noexcept
        {
            return !(i == s);
        }
        /** Whether there is an item. */
        [[nodiscard]] friend bool operator!=(sentinel s, const iterator &i) noexcept
        {
            return !(i == s);
        }

    private:
        bool at_end() const noexcept { return view_ == nullptr || view_->done(); }

        items_view *view_ = nullptr;
    };

    /** Made by tree::items. */
    items_view(const masstree_t *tree, const range<K> &keys, context with)
        : report_(with), walk_(keys)
    {
        const std::int32_t status = walk_.verify();
        if (status != MASSTREE_OK)
            report_.note(status);
        else
            cursor_ = cursor(tree, with);
    }

    /** Goes to the beginning of the range, and gives an iterator at the first item. */
    [[nodiscard]] iterator begin()
    {
        place_ = count_ = 0;
        left_ = walk_.limit() == 0 ? SIZE_MAX : walk_.limit();
        if (cursor_)
            load_first();
        return iterator(this);
    }

    /** Where the iteration ends. */
    [[nodiscard]] sentinel end() const noexcept { return {}; }

private:
    static constexpr std::size_t ahead = 16;

    bool done() const noexcept { return place_ == count_; }

    item_type current() const noexcept
    {
        return {detail::key_traits<K>::from_slice(keys_[place_].data, keys_[place_].len),
                Steps::decode(values_[place_])};
    }

    void advance()
    {
        if (++place_ == count_ && left_ != 0)
            load_next();
    }

    void load_first()
    {
        masstree_cursor_t *handle = cursor_.handle();
        std::int32_t status = walk_.begin(handle);
        if (status == MASSTREE_OK)
            status = masstree_cursor_key(handle, &keys_[0]);
        if (status == MASSTREE_OK)
            status = Steps::value(handle, &values_[0]);
        take(status, 1);
    }

    void load_next()
    {
        std::size_t count = 0;
        const auto step = walk_.is_reversed() ? Steps::prev_many : Steps::next_many;
        const std::int32_t status =
            step(cursor_.handle(), keys_, values_, std::min(left_, ahead), &count);
        take(status, count);
    }

    /** Makes those of `count` items current that belong to the range; less than all end it. */
    void take(std::int32_t status, std::size_t count)
    {
        place_ = count_ = 0;
        if (status == MASSTREE_OK) {
            while (count_ < count && !walk_.is_beyond(keys_[count_]))
                ++count_;
        }
        left_ = count_ == count && count_ != 0 ? left_ - count_ : 0;
        report_.note(status);
    }

    errors report_;
    detail::walk<K> walk_;
    cursor cursor_;
    std::size_t place_ = 0;
    std::size_t count_ = 0;
    std::size_t left_ = 0;
    masstree_slice_t keys_[ahead];
    typename Steps::raw values_[ahead];
};

} // namespace masstree

#endif
