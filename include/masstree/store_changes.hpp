/**
 * @file
 * Changes of a store in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_STORE_CHANGES_HPP
#define MASSTREE_STORE_CHANGES_HPP

#pragma GCC visibility push(default)
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#pragma GCC visibility pop

#include "store_txn.hpp"

namespace masstree {

class store;

/** What a change does. */
enum class change_kind : std::uint32_t {
    /** A key has a value. */
    put = MASSTREE_CHANGE_PUT,
    /** A key was removed. */
    remove = MASSTREE_CHANGE_REMOVE,
    /** A tree was made; it is empty. */
    tree_made = MASSTREE_CHANGE_TREE_MADE,
    /** A tree was dropped, with all of its keys. */
    tree_dropped = MASSTREE_CHANGE_TREE_DROPPED
};

/** A change. Its bytes are readable until the next call for its cursor. */
struct committed_change {
    /** The number of its commit. */
    std::uint64_t commit = 0;
    /** What it does. */
    change_kind kind = change_kind::put;
    /** Whether it is the last change of its commit. */
    bool is_last = false;
    /** The number of the tree, which no other tree of the store gets. */
    std::uint32_t tree_number = 0;
    /** The name of the tree. */
    std::string_view tree;
    /** The key; empty if a tree is made or dropped. */
    std::string_view key;
    /** The value, of `put`. */
    std::string_view value;
};

/** Options of changes; masstree_changes_options_t documents them. */
struct changes_options {
    /** What commits have reached whose changes are returned: durable or written. */
    masstree::level level = masstree::level::durable;
    /** Bytes of the log that are kept for the cursor, at most; 0: the default. */
    std::uint64_t held_log_bytes = 0;

    /** Used by the library. */
    [[nodiscard]] masstree_changes_options_t to_c() const noexcept
    {
        masstree_changes_options_t c = MASSTREE_CHANGES_OPTIONS_INIT;
        c.level = static_cast<std::uint32_t>(level);
        c.held_log_bytes = held_log_bytes;
        return c;
    }
};

/**
 * Reads what commits have changed since a number, in their order. One thread at a time uses it. Destroy it
 * before its store.
 */
class changes {
public:
    /**
     * Begins behind the commit `since`. Fails with errc::too_old if the log no longer reaches back to it; operator bool
     * is false, without an error, if the store has no such commit.
     */
    explicit changes(const store &of, std::uint64_t since, const changes_options &wanted = {},
                     errors report = {});
    /** Moves from `other`, which cannot be used afterwards. */
    changes(changes &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    /** Destroys this cursor, and moves from `other`. */
    changes &operator=(changes &&other) noexcept
    {
        changes destroyed(std::move(*this));
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~changes() { masstree_changes_destroy(handle_); }

    /** Whether it was made, and not moved from. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }
    /** The C handle; this object keeps owning it. */
    [[nodiscard]] masstree_changes_t *handle() const noexcept { return handle_; }

    /** The next change; nothing if there is none by now. */
    std::optional<committed_change> next(errors report = {})
    {
        masstree_change_t found{};
        const std::int32_t status = masstree_changes_next(handle_, &found, nullptr);
        report.note(status);
        if (status != MASSTREE_OK)
            return std::nullopt;
        committed_change result;
        result.commit = found.commit;
        result.kind = static_cast<change_kind>(found.kind);
        result.is_last = found.is_last != 0;
        result.tree_number = found.tree_number;
        result.tree = found.tree;
        result.key = {static_cast<const char *>(found.key), found.key_len};
        result.value = {static_cast<const char *>(found.value), found.value_len};
        return result;
    }

    /** Waits until there may be a change, for so many microseconds at most; whether there may be one. */
    bool wait(std::uint64_t timeout_us = MASSTREE_NO_TIMEOUT, errors report = {})
    {
        const std::int32_t status = masstree_changes_wait(handle_, timeout_us);
        report.note(status);
        return status == MASSTREE_OK;
    }

private:
    masstree_changes_t *handle_ = nullptr;
};

} // namespace masstree

#endif
