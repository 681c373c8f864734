/**
 * @file
 * Versioned trees in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_VERSIONED_TREE_HPP
#define MASSTREE_VERSIONED_TREE_HPP

#pragma GCC visibility push(default)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#pragma GCC visibility pop

#include "base.hpp"
#include "batch.hpp"
#include "version.hpp"
#include "versioned.h"

namespace masstree {

/**
 * An ordered map from K to versions, each with a sequence number, a kind and a byte string; see
 * docs/versioned.md. The documentation of tree applies. Versions are written in any order of their
 * numbers, and read as of a number.
 */
template <class K = std::string_view> class basic_versioned_tree : public tree_base<K> {
    using base = tree_base<K>;
    using key_bytes = typename detail::key_traits<K>::bytes;
    using many = detail::byte_batches<K>;

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
     * Stores versions of one kind, faster than one by one: the values of a container, with the numbers
     * of another, under the keys of a third. Returns how many were stored; a key that has the number
     * already keeps its version.
     */
    template <class Keys, class Seqnos, class Values>
    std::size_t put_many(const Keys &keys, const Seqnos &seqnos, const Values &values,
                         version_kind kind = version_kind::value, context with = {})
    {
        if (detail::length(keys) != detail::length(seqnos)) {
            with.fail(errc::invalid);
            return 0;
        }
        std::uint32_t kinds[detail::batch];
        std::fill_n(kinds, detail::batch, static_cast<std::uint32_t>(kind));
        std::uint64_t numbers[detail::batch];
        auto next = std::begin(seqnos);
        std::size_t stored = 0;
        many::write(
            keys, values, with,
            [&](auto &b, std::size_t n) {
                for (std::size_t i = 0; i < n; ++i, ++next)
                    numbers[i] = *next;
                return masstree_put_many_at(base::handle(), with.handle(), b.keys, numbers, kinds,
                                            b.values, n, b.statuses);
            },
            [&](auto &b, std::size_t n) { stored += b.successes(n); });
        return stored;
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

    /**
     * Looks up the keys of a container, and writes an std::optional<version> for each to `out`, as get
     * returns it. Returns the end of the output. At `latest`, each 256 keys are read at one number:
     * pass that of a snapshot to read all at one.
     */
    template <class Keys, class Out, class = detail::if_output<Out>>
    Out get_many(const Keys &keys, std::uint64_t seqno, Out out, guarded with) const
    {
        masstree_version_t found[detail::batch];
        many::read(
            keys, with,
            [&](auto &b, std::size_t n) {
                const std::int32_t status = masstree_get_many_at(
                    base::handle(), with.handle(), b.keys, n, seqno, found, b.statuses);
                if (status == MASSTREE_TOO_OLD)
                    std::fill_n(b.statuses, n, status);
                return status;
            },
            [&](auto &b, std::size_t n) {
                for (std::size_t i = 0; i < n; ++i) {
                    const bool is_there = b.statuses[i] == MASSTREE_OK;
                    *out++ = is_there ? std::optional<version>(version::of(found[i])) : std::nullopt;
                }
            });
        return out;
    }

    /** Looks up the keys of a container. */
    template <class Keys>
    [[nodiscard]] std::vector<std::optional<version>> get_many(const Keys &keys, std::uint64_t seqno,
                                                               guarded with) const
    {
        std::vector<std::optional<version>> versions;
        versions.reserve(detail::length(keys));
        get_many(keys, seqno, std::back_inserter(versions), with);
        return versions;
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

    /** Scans at `seqno`, with keys rolled up to common prefixes, as tree::scan_delimited does. */
    template <class F, class P>
    std::size_t scan_delimited(const range<K> &keys, std::uint64_t seqno, std::string_view delimiter,
                               F &&visit, P &&visit_prefix, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        const masstree_range_t c = keys.to_c();
        return base::listed(visit, visit_prefix, with, [&](auto prefix, void *ctx, auto &count) {
            return masstree_scan_delimited_at(base::handle(), with.handle(), &c, seqno,
                                              delimiter.data(), delimiter.size(),
                                              detail::visit_version<K, callee>, prefix, ctx, &count);
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

protected:
    /** The tree of a store. */
    explicit basic_versioned_tree(detail::of_store tree) noexcept : base(tree) {}

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
