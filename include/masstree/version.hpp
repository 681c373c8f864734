/**
 * @file
 * Versions, snapshots and cursors over versions, in the C++ interface of libmasstree. Part of
 * masstree.hpp.
 */
#ifndef MASSTREE_VERSION_HPP
#define MASSTREE_VERSION_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#pragma GCC visibility pop

#include "base.hpp"
#include "cursor.hpp"
#include "versioned.h"

namespace masstree {

/** The number that reads everything published. */
inline constexpr std::uint64_t latest = MASSTREE_SEQNO_LATEST;

/** What a version is. */
enum class version_kind : std::uint32_t {
    /** A value. */
    value = MASSTREE_VERSION_VALUE,
    /** An operand, which the reader merges with the older versions. */
    merge = MASSTREE_VERSION_MERGE,
    /** The key is deleted. */
    tombstone = MASSTREE_VERSION_TOMBSTONE,
    /** The key, which was stored once, is deleted. */
    weak_tombstone = MASSTREE_VERSION_WEAK_TOMBSTONE,
    /** A range tombstone deletes the key. No version has this kind. */
    range_tombstone = MASSTREE_VERSION_RANGE_TOMBSTONE
};

/** A version of a key. */
struct version {
    /** Its number. */
    std::uint64_t seqno = 0;
    /** What it is. */
    version_kind kind = version_kind::value;
    /** Its value: the tree's bytes, which stay valid and unchanged while the guard is held. */
    std::string_view value;
    /** Its digest, if it was stored with one; not verified. */
    std::optional<std::uint32_t> digest;

    /** Used by the library. */
    [[nodiscard]] static version of(const masstree_version_t &c)
    {
        version made;
        made.seqno = c.seqno;
        made.kind = static_cast<version_kind>(c.kind);
        made.value = {static_cast<const char *>(c.value), c.value_len};
        if (c.algorithm != 0)
            made.digest = c.digest;
        return made;
    }
};

/** What is wrong with a version that `verify_digests` reports. */
enum class version_fault : std::uint32_t {
    /** The digest is not that of the key, the number, the kind and the value. */
    digest = MASSTREE_FAULT_DIGEST,
    /** The algorithm of the digest does not exist. */
    algorithm = MASSTREE_FAULT_ALGORITHM,
    /** The kind does not exist. */
    kind = MASSTREE_FAULT_KIND
};

/** When a tree frees versions. */
enum class freeing : std::uint32_t {
    /** In `trim`. */
    in_trims = 0,
    /** Also when an overwrite makes them unreadable. */
    when_overwritten = MASSTREE_VERSIONS_FREE_OVERWRITTEN,
    /** Never: reads need no guard. */
    never = MASSTREE_VERSIONS_APPEND_ONLY
};

/** The result of `trim`. */
struct trimmed {
    /** Number of versions and range tombstones that were freed. */
    std::size_t freed = 0;
    /** Whether it examined everything; the next call begins with the first key. */
    bool finished = false;
};

namespace detail {

template <class K, class F>
std::int32_t visit_version(const void *key, std::size_t len, const masstree_version_t *found,
                           void *ctx) noexcept
{
    auto &self = *static_cast<frame<F> *>(ctx);
    return self.carried.run(
        [&] { return visit(self.callee, key_traits<K>::from_slice(key, len), version::of(*found)); });
}

template <class F>
std::int32_t visit_operand(const void *, std::size_t, const masstree_version_t *found,
                           void *ctx) noexcept
{
    auto &self = *static_cast<frame<F> *>(ctx);
    return self.carried.run([&] { return visit(self.callee, version::of(*found)); });
}

template <class K, class F>
std::int32_t visit_range(const void *lower, std::size_t lower_len, const void *upper,
                         std::size_t upper_len, std::uint64_t seqno, void *ctx) noexcept
{
    auto &self = *static_cast<frame<F> *>(ctx);
    return self.carried.run([&] {
        return visit(self.callee, key_traits<K>::from_slice(lower, lower_len),
                     key_traits<K>::from_slice(upper, upper_len), seqno);
    });
}

template <class K, class F>
std::int32_t visit_fault(const void *key, std::size_t len, std::uint64_t seqno, std::uint32_t fault,
                         void *ctx) noexcept
{
    auto &self = *static_cast<frame<F> *>(ctx);
    return self.carried.run([&] {
        return visit(self.callee, key_traits<K>::from_slice(key, len), seqno,
                     static_cast<version_fault>(fault));
    });
}

} // namespace detail

/** A number at which everything stays readable, until the object is destroyed. Movable. */
class [[nodiscard]] snapshot {
public:
    /** No snapshot. */
    snapshot() noexcept = default;
    /** Used by the library. */
    explicit snapshot(masstree_snapshot_t *handle) noexcept : handle_(handle) {}
    /** Moves from `other`, which has no snapshot afterwards. */
    snapshot(snapshot &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    /** Closes this snapshot and moves from `other`. */
    snapshot &operator=(snapshot &&other) noexcept
    {
        snapshot closed(std::move(other));
        std::swap(handle_, closed.handle_);
        return *this;
    }
    ~snapshot() { masstree_snapshot_close(handle_); }

    /** Whether it was opened, and not moved from. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }
    /** The C handle; this object keeps owning it. */
    [[nodiscard]] masstree_snapshot_t *handle() const noexcept { return handle_; }
    /** Its number, at which to read; 0 for no snapshot. */
    [[nodiscard]] std::uint64_t seqno() const noexcept { return masstree_snapshot_seqno(handle_); }

private:
    masstree_snapshot_t *handle_ = nullptr;
};

/**
 * A position among what a reader at a number sees, or among all versions; `cursor_at` and
 * `version_cursor` of a tree make one. Its rules are those of basic_cursor.
 */
template <class K> class [[nodiscard]] basic_version_cursor {
    using key_bytes = typename detail::key_traits<K>::bytes;

public:
    /** A cursor without a tree. */
    basic_version_cursor() noexcept = default;
    /** Used by the library. */
    explicit basic_version_cursor(masstree_cursor_t *handle) noexcept : handle_(handle) {}
    /** Moves from `other`, which has no tree afterwards. */
    basic_version_cursor(basic_version_cursor &&other) noexcept
        : handle_(std::exchange(other.handle_, nullptr))
    {
    }
    /** Closes this cursor and moves from `other`. */
    basic_version_cursor &operator=(basic_version_cursor &&other) noexcept
    {
        basic_version_cursor closed(std::move(other));
        std::swap(handle_, closed.handle_);
        return *this;
    }
    ~basic_version_cursor() { masstree_cursor_close(handle_); }

    /** Whether it was opened, and not moved from. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }

    /** Moves to the key nearest to `key`: false if there is none. */
    [[nodiscard]] bool seek(K key, masstree::seek how = masstree::seek::at_least,
                            errors report = {})
    {
        const key_bytes bytes(key);
        return answer(masstree_cursor_seek(handle_, bytes.view().data(), bytes.view().size(),
                                           static_cast<std::uint32_t>(how)),
                      report);
    }
    /** Moves to the version nearest to a key and a number, in the order of versions. */
    [[nodiscard]] bool seek_at(K key, std::uint64_t seqno,
                               masstree::seek how = masstree::seek::at_least, errors report = {})
    {
        const key_bytes bytes(key);
        return answer(masstree_cursor_seek_at(handle_, bytes.view().data(), bytes.view().size(),
                                              seqno, static_cast<std::uint32_t>(how)),
                      report);
    }
    /** Moves to the first position: false if there is none. */
    [[nodiscard]] bool first(errors report = {})
    {
        return answer(masstree_cursor_first(handle_), report);
    }
    /** Moves to the last position: false if there is none. */
    [[nodiscard]] bool last(errors report = {})
    {
        return answer(masstree_cursor_last(handle_), report);
    }
    /** Moves to the next position (a new cursor: to the first): false if there is none. */
    [[nodiscard]] bool next(errors report = {})
    {
        return answer(masstree_cursor_next(handle_), report);
    }
    /** Moves to the previous position (a new cursor: to the last): false if there is none. */
    [[nodiscard]] bool prev(errors report = {})
    {
        return answer(masstree_cursor_prev(handle_), report);
    }

    /** The key at which the cursor is, until it moves. */
    [[nodiscard]] std::optional<K> key(errors report = {}) const
    {
        masstree_slice_t found;
        if (!answer(masstree_cursor_key(handle_, &found), report))
            return std::nullopt;
        return detail::key_traits<K>::from_slice(found.data, found.len);
    }
    /** The version at which the cursor is. */
    [[nodiscard]] std::optional<masstree::version> version(errors report = {}) const
    {
        masstree_version_t found;
        if (!answer(masstree_cursor_version(handle_, &found), report))
            return std::nullopt;
        return masstree::version::of(found);
    }

private:
    static bool answer(std::int32_t status, errors report)
    {
        report.note(status);
        return status == MASSTREE_OK;
    }

    masstree_cursor_t *handle_ = nullptr;
};

} // namespace masstree

#endif
