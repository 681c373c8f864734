/**
 * @file
 * Cursors of transactions in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_STORE_TXN_CURSOR_HPP
#define MASSTREE_STORE_TXN_CURSOR_HPP

#pragma GCC visibility push(default)
#include <cstdint>
#include <optional>
#include <utility>
#pragma GCC visibility pop

#include "store_tree.hpp"

namespace masstree {

/**
 * A position in what a transaction reads of a tree, from which it moves key by key in either direction;
 * `transaction_body::cursor` makes one. Destroy it before its transaction.
 *
 * Each move sees what the transaction has written by then. What it has passed counts as read. A function that returns
 * false, or fails, does not move the cursor.
 */
template <class K> class [[nodiscard]] basic_transaction_cursor {
public:
    /** A cursor without a transaction. */
    basic_transaction_cursor() noexcept = default;
    /** Used by the library. */
    explicit basic_transaction_cursor(masstree_txn_cursor_t *handle) noexcept : handle_(handle) {}
    /** Moves from `other`, which has no transaction afterwards. */
    basic_transaction_cursor(basic_transaction_cursor &&other) noexcept
        : handle_(std::exchange(other.handle_, nullptr))
    {
    }
    /** Closes this cursor and moves from `other`. */
    basic_transaction_cursor &operator=(basic_transaction_cursor &&other) noexcept
    {
        basic_transaction_cursor closed(std::move(other));
        std::swap(handle_, closed.handle_);
        return *this;
    }
    ~basic_transaction_cursor() { masstree_txn_cursor_close(handle_); }

    /** Whether it was opened, and not moved from. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }
    /** The C handle; this object keeps owning it. */
    [[nodiscard]] masstree_txn_cursor_t *handle() const noexcept { return handle_; }

    /** Moves to the key nearest to `key`: false if there is none. */
    [[nodiscard]] bool seek(K key, masstree::seek how = masstree::seek::at_least,
                            errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        return answer(masstree_txn_cursor_seek(handle_, bytes.view().data(), bytes.view().size(),
                                               static_cast<std::uint32_t>(how)),
                      report);
    }
    /** Moves to the first key: false if there is none. */
    [[nodiscard]] bool first(errors report = {})
    {
        return answer(masstree_txn_cursor_seek(handle_, nullptr, 0, MASSTREE_SEEK_FIRST), report);
    }
    /** Moves to the last key: false if there is none. */
    [[nodiscard]] bool last(errors report = {})
    {
        return answer(masstree_txn_cursor_seek(handle_, nullptr, 0, MASSTREE_SEEK_LAST), report);
    }
    /** Moves to the next greater key (a new cursor: to the first): false if there is none. */
    [[nodiscard]] bool next(errors report = {})
    {
        return answer(masstree_txn_cursor_next(handle_), report);
    }
    /** Moves to the next smaller key (a new cursor: to the last): false if there is none. */
    [[nodiscard]] bool prev(errors report = {})
    {
        return answer(masstree_txn_cursor_prev(handle_), report);
    }

    /** The key that the cursor is at, valid until it moves; none if it is new. */
    [[nodiscard]] std::optional<K> key(errors report = {}) const
    {
        masstree_slice_t found{};
        if (!answer(masstree_txn_cursor_key(handle_, &found), report))
            return std::nullopt;
        return detail::key_traits<K>::from_slice(found.data, found.len);
    }
    /** The value that the key had when the cursor moved to it, valid until the transaction ends. */
    [[nodiscard]] std::optional<masstree::version> version(errors report = {}) const
    {
        masstree_version_t found{};
        if (!answer(masstree_txn_cursor_version(handle_, &found), report))
            return std::nullopt;
        return masstree::version::of(found);
    }

private:
    static bool answer(std::int32_t status, errors report)
    {
        report.note(status);
        return status == MASSTREE_OK;
    }

    masstree_txn_cursor_t *handle_ = nullptr;
};

} // namespace masstree

#endif
