/**
 * @file
 * Versioned trees in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_VERSIONED_TREE_HPP
#define MASSTREE_VERSIONED_TREE_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
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

/**
 * An ordered map from K to versions, each with a sequence number, a kind and a byte string; see
 * docs/versioned.md. The documentation of tree applies. Versions are written in any order of their
 * numbers, and read as of a number.
 */
template <class K = std::string_view> class basic_versioned_tree : public tree_base<K> {
    using base = tree_base<K>;
    using key_bytes = typename detail::key_traits<K>::bytes;

public:
    /** The tree's cursors. */
    using cursor_type = basic_version_cursor<K>;

    /** Creates an empty tree. After an error in an std::error_code, operator bool is false. */
    explicit basic_versioned_tree(errors report = {}) : basic_versioned_tree(options{}, report) {}
    /** Creates an empty tree. */
    explicit basic_versioned_tree(const options &wanted, errors report = {},
                                  freeing when = freeing::in_trims)
    {
        masstree_options_t c = MASSTREE_OPTIONS_INIT;
        c.value_kind = MASSTREE_VALUES_VERSIONED;
        c.version_flags = static_cast<std::uint32_t>(when);
        this->create(wanted, c, report);
    }
    /** Moves from `other`, which has no tree afterwards. */
    basic_versioned_tree(basic_versioned_tree &&other) noexcept = default;
    /** Destroys this tree and moves from `other`. */
    basic_versioned_tree &operator=(basic_versioned_tree &&other) noexcept
    {
        basic_versioned_tree destroyed(std::move(*this));
        swap(other);
        return *this;
    }
    ~basic_versioned_tree() { this->destroy_base(); }
    /** Exchanges two trees. */
    void swap(basic_versioned_tree &other) noexcept { this->swap_base(other); }

    /** Deleted: store a tombstone. */
    bool remove(K key, context with = {}) = delete;
    /** Deleted: store a range tombstone. */
    void clear(context with = {}) = delete;

    /** Stores a version: false if the key has one with this number. */
    bool put(K key, std::uint64_t seqno, std::string_view value,
             version_kind kind = version_kind::value, context with = {})
    {
        const key_bytes bytes(key);
        const std::int32_t status = masstree_put_at(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(), seqno,
            static_cast<std::uint32_t>(kind), value.data(), value.size());
        with.note(status);
        return status == MASSTREE_OK;
    }

    /**
     * Stores a version only if the key has none with that number or a greater one. Returns the
     * number of the version that prevented it.
     */
    std::optional<std::uint64_t> put_unless_newer(K key, std::uint64_t seqno, std::string_view value,
                                                  version_kind kind = version_kind::value,
                                                  context with = {})
    {
        const key_bytes bytes(key);
        std::uint64_t newer = seqno;
        const std::int32_t status = masstree_put_unless_newer_at(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(), seqno,
            static_cast<std::uint32_t>(kind), value.data(), value.size(), &newer);
        with.note(status);
        if (status == MASSTREE_MISMATCH || status == MASSTREE_EXISTS)
            return newer;
        return std::nullopt;
    }

    /** Stores a version with its digest: false if the key has one with this number. */
    bool put_digested(K key, std::uint64_t seqno, std::string_view value, std::uint32_t digest,
                      version_kind kind = version_kind::value, context with = {})
    {
        const key_bytes bytes(key);
        const std::int32_t status = masstree_put_digested_at(
            base::handle(), with.handle(), bytes.view().data(), bytes.view().size(), seqno,
            static_cast<std::uint32_t>(kind), value.data(), value.size(), MASSTREE_DIGEST_CRC32C,
            digest);
        with.note(status);
        return status == MASSTREE_OK;
    }

    /** The digest of a version, for put_digested. */
    [[nodiscard]] static std::uint32_t digest_of(K key, std::uint64_t seqno, std::string_view value,
                                                 version_kind kind = version_kind::value,
                                                 errors report = {})
    {
        const key_bytes bytes(key);
        std::uint32_t digest = 0;
        report.note(masstree_digest_version(MASSTREE_DIGEST_CRC32C, bytes.view().data(),
                                            bytes.view().size(), seqno,
                                            static_cast<std::uint32_t>(kind), value.data(),
                                            value.size(), &digest));
        return digest;
    }

    /** Deletes, at a number, the keys from `lower` to before `upper`. */
    void remove_range(K lower, K upper, std::uint64_t seqno, context with = {})
    {
        const key_bytes from(lower);
        const key_bytes to(upper);
        with.note(masstree_remove_range_at(base::handle(), with.handle(), from.view().data(),
                                           from.view().size(), to.view().data(), to.view().size(),
                                           seqno));
    }

    /** What a reader at `seqno` sees of a key: a value, or the newest of some merge operands. */
    [[nodiscard]] std::optional<version> get(K key, std::uint64_t seqno, guarded with) const
    {
        const auto [status, found] = look_up(key, seqno, with);
        if (status != MASSTREE_OK)
            return std::nullopt;
        return found;
    }

    /** Like get, but returns also the tombstone, or the range tombstone, that deletes the key. */
    [[nodiscard]] std::optional<version> newest(K key, std::uint64_t seqno, guarded with) const
    {
        const auto [status, found] = look_up(key, seqno, with);
        if (status != MASSTREE_OK && status != MASSTREE_DELETED)
            return std::nullopt;
        return found;
    }

    /**
     * Calls `visit(version)` for each version that a reader merges: the newest operand first, down to
     * a value or a tombstone. Returns how many there were.
     */
    template <class F>
    std::size_t operands(K key, std::uint64_t seqno, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        const key_bytes bytes(key);
        return visited(visit, with, [&](auto &frame, std::size_t &count) {
            return masstree_get_operands_at(base::handle(), with.handle(), bytes.view().data(),
                                            bytes.view().size(), seqno,
                                            detail::visit_operand<callee>, &frame, &count);
        });
    }

    /** Calls `visit(K, version)` for each key of a range that a reader at `seqno` sees. */
    template <class F>
    std::size_t scan(const range<K> &keys, std::uint64_t seqno, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        const masstree_range_t c = keys.to_c();
        return visited(visit, with, [&](auto &frame, std::size_t &count) {
            return masstree_scan_at(base::handle(), with.handle(), &c, seqno,
                                    detail::visit_version<K, callee>, &frame, &count);
        });
    }

    /**
     * Calls `visit(K, version)` for each version, by key ascending and number descending, of those
     * in `c`; a null pointer: all.
     */
    template <class F>
    std::size_t scan_versions(const masstree_version_range_t *c, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        return visited(visit, with, [&](auto &frame, std::size_t &count) {
            return masstree_scan_versions(base::handle(), with.handle(), c,
                                          detail::visit_version<K, callee>, &frame, &count);
        });
    }

    /** Calls `visit(K lower, K upper, std::uint64_t seqno)` for each range tombstone. */
    template <class F> std::size_t scan_range_tombstones(F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        return visited(visit, with, [&](auto &frame, std::size_t &count) {
            return masstree_scan_range_tombstones(base::handle(), with.handle(),
                                                  detail::visit_range<K, callee>, &frame, &count);
        });
    }

    /** A cursor over what a reader at `seqno` sees. */
    [[nodiscard]] cursor_type cursor_at(std::uint64_t seqno, lasting with = {}) const
    {
        masstree_cursor_t *opened = nullptr;
        with.note(masstree_cursor_open_at(base::handle(), with.handle(), seqno, &opened));
        return cursor_type(opened);
    }

    /** A cursor over every version with a number greater than `since`. */
    [[nodiscard]] cursor_type version_cursor(std::uint64_t since = 0, lasting with = {}) const
    {
        masstree_cursor_t *opened = nullptr;
        with.note(masstree_cursor_open_versions(base::handle(), with.handle(), since, &opened));
        return cursor_type(opened);
    }

    /** Takes `count` numbers, whose writes become visible at once by publish; returns the first. */
    [[nodiscard]] std::optional<std::uint64_t> next_seqno(std::uint64_t count = 1,
                                                          errors report = {})
    {
        std::uint64_t first = 0;
        const std::int32_t status = masstree_next_seqno(base::handle(), count, &first);
        report.note(status);
        if (status != MASSTREE_OK)
            return std::nullopt;
        return first;
    }

    /** Publishes the group that begins at `first`; returns the greatest number that is visible. */
    std::uint64_t publish(std::uint64_t first, errors report = {})
    {
        std::uint64_t visible = 0;
        report.note(masstree_publish(base::handle(), first, &visible));
        return visible;
    }

    /** Opens a snapshot, which must be destroyed before the tree. */
    [[nodiscard]] snapshot open_snapshot(errors report = {})
    {
        masstree_snapshot_t *opened = nullptr;
        report.note(masstree_snapshot_open(base::handle(), &opened));
        return snapshot(opened);
    }

    /** Frees versions that no reader at `floor` or above, nor at a snapshot, can see. */
    trimmed trim(std::uint64_t floor, std::size_t budget = 0, errors report = {})
    {
        trimmed result;
        const std::int32_t status =
            masstree_trim_versions(base::handle(), floor, budget, &result.freed);
        report.note(status);
        result.finished = status == MASSTREE_END;
        return result;
    }

    /** Refuses all writes from now on. */
    void seal(errors report = {}) { report.note(masstree_seal(base::handle())); }

    /** Statistics of the versions. */
    [[nodiscard]] masstree_version_stats_t version_stats(context with = {}) const
    {
        masstree_version_stats_t stats = MASSTREE_VERSION_STATS_INIT;
        with.note(masstree_stats_versions(base::handle(), with.handle(), &stats));
        return stats;
    }

    /**
     * Verifies all digests, and calls `visit(K, std::uint64_t seqno, version_fault)` for each faulty
     * version. Returns whether there was none.
     */
    template <class F> [[nodiscard]] bool verify_digests(F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        detail::frame<callee> frame{visit};
        const std::int32_t status =
            masstree_verify_digests(base::handle(), with.handle(), detail::visit_fault<K, callee>,
                                    &frame, nullptr);
        frame.carried.rethrow();
        with.note(status == MASSTREE_CORRUPT ? MASSTREE_OK : status);
        return status == MASSTREE_OK;
    }

private:
    std::pair<std::int32_t, version> look_up(K key, std::uint64_t seqno, const context &with) const
    {
        const key_bytes bytes(key);
        masstree_version_t found;
        const std::int32_t status =
            masstree_get_at(base::handle(), with.handle(), bytes.view().data(), bytes.view().size(),
                            seqno, &found);
        with.note(status);
        const bool is_there = status == MASSTREE_OK || status == MASSTREE_DELETED;
        return {status, is_there ? version::of(found) : version()};
    }

    /** Runs a C function that calls a visitor, with a frame for it. */
    template <class F, class Call>
    static std::size_t visited(F &visit, const context &with, Call call)
    {
        detail::frame<F> frame{visit};
        std::size_t count = 0;
        const std::int32_t status = call(frame, count);
        frame.carried.rethrow();
        with.note(status);
        return count;
    }
};

/** A versioned tree whose keys are byte strings. */
using versioned_tree = basic_versioned_tree<>;

} // namespace masstree

#endif
