/**
 * @file
 * Ranges of keys for the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_RANGE_HPP
#define MASSTREE_RANGE_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#pragma GCC visibility pop

#include "key.hpp"

namespace masstree {

/**
 * A range of keys and the direction in which it is visited: everything, forward, by default.
 *
 *     masstree::range<>{}.from("b").before("d")
 *     masstree::range<std::int64_t>{}.after(-5).reversed().limit(10)
 *     masstree::range<>{}.prefix("user/")
 *
 * A value type: each function returns a changed copy. Bytes are not copied, and must stay valid and
 * unchanged while the range, or a view made with it, is used; so passing a temporary string does
 * not compile. Functions report errc::invalid for a range whose lower bound is above the upper.
 */
template <class K = std::string_view> class range {
public:
    /** Lower bound `key`, inclusive. */
    [[nodiscard]] range from(K key) const { return with_lower(key, MASSTREE_BOUND_INCLUSIVE); }
    /** Lower bound `key`, exclusive. */
    [[nodiscard]] range after(K key) const { return with_lower(key, MASSTREE_BOUND_EXCLUSIVE); }
    /** Upper bound `key`, inclusive. */
    [[nodiscard]] range through(K key) const { return with_upper(key, MASSTREE_BOUND_INCLUSIVE); }
    /** Upper bound `key`, exclusive. */
    [[nodiscard]] range before(K key) const { return with_upper(key, MASSTREE_BOUND_EXCLUSIVE); }
    /** Deleted: the key must outlive the range. */
    template <class A, class = detail::if_temporary<K, A>> range from(A &&) const = delete;
    /** Deleted: the key must outlive the range. */
    template <class A, class = detail::if_temporary<K, A>> range after(A &&) const = delete;
    /** Deleted: the key must outlive the range. */
    template <class A, class = detail::if_temporary<K, A>> range through(A &&) const = delete;
    /** Deleted: the key must outlive the range. */
    template <class A, class = detail::if_temporary<K, A>> range before(A &&) const = delete;

    /** Only keys with this prefix, within the bounds; for byte keys. */
    [[nodiscard]] range prefix(std::string_view bytes) const
    {
        static_assert(!detail::key_traits<K>::is_integer, "integers have no prefix");
        range copy = *this;
        copy.prefix_ = bytes;
        return copy;
    }
    /** Deleted: the prefix must outlive the range. */
    template <class A, class = detail::if_temporary<std::string_view, A>>
    range prefix(A &&) const = delete;

    /** At most `most` keys; 0: no limit. */
    [[nodiscard]] range limit(std::size_t most) const
    {
        range copy = *this;
        copy.limit_ = most;
        return copy;
    }

    /** The opposite direction. */
    [[nodiscard]] range reversed() const
    {
        range copy = *this;
        copy.reverse_ = !reverse_;
        return copy;
    }

    /** Whether the keys are visited in descending order. */
    [[nodiscard]] bool is_reversed() const noexcept { return reverse_; }

    /** The C struct, which points into this object; `flags` are added to the direction. */
    [[nodiscard]] masstree_range_t to_c(std::uint32_t flags = 0) const & noexcept
    {
        masstree_range_t c = MASSTREE_RANGE_INIT;
        if (lower_) {
            c.lower = lower_->view().data();
            c.lower_len = lower_->view().size();
            c.lower_bound = lower_kind_;
        }
        if (upper_) {
            c.upper = upper_->view().data();
            c.upper_len = upper_->view().size();
            c.upper_bound = upper_kind_;
        }
        c.prefix = prefix_.data();
        c.prefix_len = prefix_.size();
        c.limit = limit_;
        c.flags = flags | (reverse_ ? std::uint32_t{MASSTREE_SCAN_REVERSE} : 0);
        return c;
    }
    /** Deleted: the C struct points into the range. */
    masstree_range_t to_c(std::uint32_t flags = 0) const && = delete;

private:
    range with_lower(K key, std::uint32_t kind) const
    {
        range copy = *this;
        copy.lower_.emplace(key);
        copy.lower_kind_ = kind;
        return copy;
    }

    range with_upper(K key, std::uint32_t kind) const
    {
        range copy = *this;
        copy.upper_.emplace(key);
        copy.upper_kind_ = kind;
        return copy;
    }

    std::optional<typename detail::key_traits<K>::bytes> lower_;
    std::optional<typename detail::key_traits<K>::bytes> upper_;
    std::string_view prefix_;
    std::size_t limit_ = 0;
    std::uint32_t lower_kind_ = MASSTREE_BOUND_OPEN;
    std::uint32_t upper_kind_ = MASSTREE_BOUND_OPEN;
    bool reverse_ = false;
};

} // namespace masstree

#endif
