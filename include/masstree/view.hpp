/**
 * @file
 * Views of a tree for range-for in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_VIEW_HPP
#define MASSTREE_VIEW_HPP

#pragma GCC visibility push(default)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>
#pragma GCC visibility pop

#include "batch.hpp"
#include "cursor.hpp"

namespace masstree {

namespace detail {

/** Keys that were read ahead, if they are integers. */
template <class K> class key_store {
    static_assert(key_traits<K>::is_integer);

public:
    using slot = K;
    void clear() noexcept {}
    bool add(const void *data, std::size_t len, slot &place) noexcept
    {
        place = key_traits<K>::from_slice(data, len);
        return true;
    }
    K get(const slot &place) const noexcept { return place; }
};

/** Keys that were read ahead, if they are bytes: one buffer for all. */
template <> class key_store<std::string_view> {
public:
    struct slot {
        std::size_t at, len;
    };
    void clear() noexcept { used_ = 0; }
    bool add(const void *data, std::size_t len, slot &place) noexcept
    {
        if (len > capacity_ - used_ && !grow(len))
            return false;
        if (len != 0)
            std::memcpy(bytes_.get() + used_, data, len);
        place = {used_, len};
        used_ += len;
        return true;
    }
    std::string_view get(const slot &place) const noexcept
    {
        return {bytes_.get() + place.at, place.len};
    }

private:
    bool grow(std::size_t more) noexcept
    {
        const std::size_t capacity = 2 * (used_ + more);
        std::unique_ptr<char[]> bytes = array_of<char>(capacity);
        if (bytes == nullptr)
            return false;
        if (used_ != 0)
            std::memcpy(bytes.get(), bytes_.get(), used_);
        bytes_ = std::move(bytes);
        capacity_ = capacity;
        return true;
    }

    std::unique_ptr<char[]> bytes_;
    std::size_t used_ = 0;
    std::size_t capacity_ = 0;
};

/** A batch of items of a range that a view has read ahead. */
template <class K, class Steps> class read_ahead {
public:
    /** The sizes of the first and of the largest batch. */
    static constexpr std::size_t least = 16, most = 256;

    /** Reads up to `wanted` items of a range, whose bound may be this object's last key. */
    std::int32_t read(const masstree_t *tree, masstree_guard_t *guard, const masstree_range_t &c,
                      std::size_t wanted) noexcept
    {
        if (wanted > capacity_ && !reserve(wanted))
            return MASSTREE_NOMEM;
        count_ = 0;
        now_ = 1 - now_;
        keys_[now_].clear();
        return Steps::scan(tree, guard, &c, &Steps::template add<read_ahead>, this, nullptr);
    }

    std::size_t count() const noexcept { return count_; }
    K key(std::size_t place) const noexcept { return keys_[now_].get(entries_[place].key); }
    typename Steps::view value(std::size_t place) const noexcept
    {
        return Steps::decode(entries_[place].value);
    }

    /** The visitor of the scan. */
    std::int32_t add(const void *key, std::size_t len, typename Steps::raw value) noexcept
    {
        entry &place = entries_[count_];
        if (!keys_[now_].add(key, len, place.key))
            return MASSTREE_NOMEM;
        place.value = value;
        ++count_;
        return MASSTREE_VISIT_CONTINUE;
    }

private:
    struct entry {
        typename key_store<K>::slot key;
        typename Steps::raw value;
    };

    bool reserve(std::size_t wanted) noexcept
    {
        entries_ = array_of<entry>(wanted);
        capacity_ = entries_ == nullptr ? 0 : wanted;
        return entries_ != nullptr;
    }

    // The last key of one batch bounds the scan that reads the next.
    key_store<K> keys_[2];
    std::unique_ptr<entry[]> entries_;
    std::size_t capacity_ = 0;
    std::size_t count_ = 0;
    std::size_t now_ = 0;
};

} // namespace detail

/**
 * The keys and values of a range, for range-for; made by `tree.items()`:
 *
 *     for (auto [key, value] : tree.items()) ...
 *     for (auto [key, value] : tree.items(masstree::range<>{}.prefix("a").reversed())) ...
 *
 * It is iterated once, with input iterators; in C++20 it is an input range. It reads ahead, 16 to
 * 256 keys at a time, and guarantees what a scan does: keys strictly in order, those that stay in
 * the tree exactly once, one inserted or removed meanwhile at most once. No change of the tree
 * invalidates it. Keys are valid until the iterator is incremented; memory that values refer to,
 * until the guard passed, or the view's own, is refreshed or left.
 *
 * Movable while no iteration is active. Destroy it before its guard and tree; one thread at a time
 * uses it. An error ends the iteration: it is thrown, or stored in the std::error_code that the
 * view was made with, which must outlive it.
 */
template <class K, class Steps> class [[nodiscard]] items_view {
    using cursor = basic_cursor<K, Steps>;

public:
    /** A key and its value. */
    using item_type = typename cursor::item_type;

    /** The end of the iteration. */
    struct sentinel {};

    /** An input iterator over items; valid until its view is moved or destroyed. */
    class iterator {
    public:
        /** For std::iterator_traits. */
        using iterator_category = std::input_iterator_tag;
        /** A key and its value. */
        using value_type = item_type;
        /** Items are returned by value. */
        using reference = item_type;
        /** Items have no address. */
        using pointer = void;
        /** For std::iterator_traits. */
        using difference_type = std::ptrdiff_t;

        /** An iterator without a view. */
        iterator() noexcept = default;
        /** Used by begin(). */
        explicit iterator(items_view *view) noexcept : view_(view) {}

        /** The current item. */
        [[nodiscard]] item_type operator*() const noexcept { return view_->current(); }
        /** Moves to the next item. */
        iterator &operator++()
        {
            view_->advance();
            return *this;
        }
        /** Moves to the next item. */
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
        /** Whether the iteration has not ended. */
        [[nodiscard]] friend bool operator!=(const iterator &i, sentinel s) noexcept
        {
            return !(i == s);
        }
        /** Whether the iteration has not ended. */
        [[nodiscard]] friend bool operator!=(sentinel s, const iterator &i) noexcept
        {
            return !(i == s);
        }

    private:
        bool at_end() const noexcept { return view_ == nullptr || view_->done(); }

        items_view *view_ = nullptr;
    };

    /** Used by tree::items. */
    items_view(const masstree_t *tree, const range<K> &keys, context with)
        : tree_(tree), range_(keys), report_(with), under_(with.handle())
    {
        if (under_ == nullptr) {
            report_.note(masstree_guard_enter(tree_, &under_));
            own_ = guard(under_);
        }
    }

    /** Starts at the beginning of the range; returns an iterator at the first item. */
    [[nodiscard]] iterator begin()
    {
        const std::size_t limit = range_.to_c().limit;
        left_ = limit == 0 ? SIZE_MAX : limit;
        batch_ = ahead::least;
        place_ = 0;
        if (under_ != nullptr)
            read(range_);
        return iterator(this);
    }

    /** The end of the iteration. */
    [[nodiscard]] sentinel end() const noexcept { return {}; }

private:
    bool done() const noexcept { return place_ == ahead_.count(); }

    item_type current() const noexcept { return {ahead_.key(place_), ahead_.value(place_)}; }

    void advance()
    {
        if (++place_ == ahead_.count() && left_ != 0) {
            const K last = ahead_.key(place_ - 1);
            place_ = 0;
            read(range_.is_reversed() ? range_.before(last) : range_.after(last));
        }
    }

    /** Reads the next batch; one that is not full is the last. */
    void read(const range<K> &keys)
    {
        const std::size_t wanted = std::min(left_, batch_);
        masstree_range_t c = keys.to_c();
        c.limit = wanted;
        const std::int32_t status = ahead_.read(tree_, under_, c, wanted);
        left_ = ahead_.count() == wanted && status >= 0 ? left_ - wanted : 0;
        batch_ = std::min(4 * batch_, ahead::most);
        report_.note(status);
    }

    using ahead = detail::read_ahead<K, Steps>;

    const masstree_t *tree_;
    range<K> range_;
    errors report_;
    guard own_;
    masstree_guard_t *under_;
    ahead ahead_;
    std::size_t place_ = 0;
    std::size_t left_ = 0;
    std::size_t batch_ = ahead::least;
};

} // namespace masstree

#endif
