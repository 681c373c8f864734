/**
 * @file
 * Durable stores in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_STORE_HPP
#define MASSTREE_STORE_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#pragma GCC visibility pop

#include "store_batch.hpp"
#include "store_changes.hpp"
#include "store_options.hpp"
#include "store_tree.hpp"
#include "store_txn.hpp"

namespace masstree {

namespace detail {

template <class F> std::int32_t visit_name(const char *name, masstree_t *, void *ctx) noexcept
{
    auto &self = *static_cast<frame<F> *>(ctx);
    return self.carried.run([&] { return visit(self.callee, std::string_view(name)); });
}

/** Calls a callable that was allocated for one call, and frees it. */
template <class F>
void call_once(std::uint64_t commit, std::int32_t status, void *ctx) noexcept
{
    const std::unique_ptr<F> done(static_cast<F *>(ctx));
    (*done)(commit, status == MASSTREE_OK);
}

} // namespace detail

/** The result of a write. */
struct written {
    /** The commit's number, if something was changed; 0 if not. */
    std::uint64_t commit = 0;
    /** Whether something was changed. */
    [[nodiscard]] explicit operator bool() const noexcept { return commit != 0; }
};

/** The result of a write that depends on what the key has. */
struct conditional : written {
    /** Why nothing was changed, if nothing was; not_found after an error. */
    masstree::outcome outcome = outcome::not_found;
};

/** The result of `rename`. */
struct renamed : written {
    /** Why nothing was changed: mismatch if the target has a value; not_found after an error. */
    masstree::outcome outcome = outcome::not_found;
    /** Whether the value is under the target: also if that is the key itself. */
    [[nodiscard]] explicit operator bool() const noexcept { return outcome == outcome::done; }
};

/** The result of `exchange`. */
struct exchanged : written {
    /** The version that was displaced, if the key had a value. */
    std::optional<version> old{};
};

/** The result of `commit`. */
struct committed : written {
    /** The index of an operation of the batch whose condition does not hold, if that is why. */
    std::optional<std::size_t> failed{};
};

/**
 * A durable store: a directory, and trees in memory whose commits are logged; docs/store.md explains
 * it. What is written is there again when the directory is opened.
 *
 * Any thread may call any function at any time, except the destructor, close, assignment and swap.
 * Destroy guards, cursors and snapshots of its trees, and its batches, before the store. A write whose
 * error is errc::unknown is in memory: the result has its number, if an std::error_code received the
 * error.
 */
class store {
public:
    /** No store. */
    store() noexcept = default;
    /**
     * Opens a directory, which is made if it is absent. After an error in an std::error_code, operator
     * bool is false; so it is if there is no store and the options demand one.
     */
    explicit store(const std::string &directory, const store_options &wanted = {}, errors report = {})
    {
        open(directory.c_str(), wanted, report);
    }
    /** Opens a directory. */
    store(const std::string &directory, errors report) : store(directory, {}, report) {}
    /** Makes a store in memory only: nothing is written, all levels are reached at once. */
    [[nodiscard]] static store in_memory(const store_options &wanted = {}, errors report = {})
    {
        store made;
        made.open(nullptr, wanted, report);
        return made;
    }
    /** Moves from `other`, which has no store afterwards. */
    store(store &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    /** Closes this store, and moves from `other`. */
    store &operator=(store &&other) noexcept
    {
        store closed(std::move(*this));
        swap(other);
        return *this;
    }
    /** Closes the store; see close, which reports whether everything is durable. */
    ~store() { masstree_store_close(handle_); }
    /** Exchanges two stores. */
    void swap(store &other) noexcept { std::swap(handle_, other.handle_); }

    /** Whether it was opened, and neither closed nor moved from. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }
    /** The C handle; this object keeps owning it. */
    [[nodiscard]] masstree_store_t *handle() const noexcept { return handle_; }

    /** Makes everything durable, and closes the store, also if that fails. */
    void close(errors report = {})
    {
        report.note(masstree_store_close(std::exchange(handle_, nullptr)));
    }

    /**
     * The tree with a name, which is made if the store has none. No tree (operator bool is false) if the
     * store is read-only and lacks it. Its keys must be of one type each time.
     */
    template <class K = std::string_view>
    [[nodiscard]] basic_store_tree<K> tree(const std::string &name, errors report = {})
    {
        masstree_t *found = nullptr;
        report.note(masstree_store_tree(handle_, name.c_str(), &found));
        return basic_store_tree<K>(found);
    }

    /**
     * Drops the tree with a name, if there is one. Writes to it fail with errc::wrong_tree from now on. The
     * result has no number if there is no such tree.
     */
    written drop_tree(const std::string &name, errors report = {})
    {
        written result;
        report.note(masstree_store_drop_tree(handle_, name.c_str(), &result.commit));
        return result;
    }

    /**
     * Writes the content to a directory, which becomes a store; false if it has one already. `at`: what this
     * snapshot sees; without one, the newest.
     */
    bool export_to(const std::string &directory, const snapshot &at, errors report = {}) const
    {
        const std::int32_t status = masstree_store_export(
            handle_, at.handle(), directory.c_str(), nullptr, nullptr, nullptr);
        report.note(status);
        return status == MASSTREE_OK;
    }
    /** As above, of the newest content. */
    bool export_to(const std::string &directory, errors report = {}) const
    {
        return export_to(directory, snapshot(), report);
    }

    /** Opens a snapshot of all trees, which must be destroyed before the store. */
    [[nodiscard]] snapshot open_snapshot(errors report = {}) const
    {
        masstree_snapshot_t *opened = nullptr;
        report.note(masstree_store_snapshot(handle_, &opened));
        return snapshot(opened);
    }
    /** Calls `visit(std::uint64_t seqno, std::chrono::milliseconds age)` for each open one, the oldest first. */
    template <class F> void list_snapshots(F &&visit, errors report = {}) const
    {
        using callee = std::remove_reference_t<F>;
        detail::frame<callee> frame{visit};
        const std::int32_t status =
            masstree_store_list_snapshots(handle_, detail::visit_open<callee>, &frame);
        frame.carried.rethrow();
        report.note(status);
    }

    /**
     * Copies all trees of a directory that is not open to this store; with `replace`, drops those that it has first.
     * Returns what was copied; nothing if the store has a tree that is not empty.
     */
    std::optional<masstree_store_imported_t> import_from(const std::string &directory, bool replace = false,
                                                         errors report = {})
    {
        masstree_store_imported_t imported = MASSTREE_STORE_IMPORTED_INIT;
        const std::int32_t status =
            masstree_store_import(handle_, directory.c_str(), replace ? MASSTREE_IMPORT_REPLACE : 0,
                                  nullptr, nullptr, nullptr, &imported);
        report.note(status);
        if (status != MASSTREE_OK)
            return std::nullopt;
        return imported;
    }

    /** Calls `visit(std::string_view name)` for each tree, in the order in which they were made. */
    template <class F> void list_trees(F &&visit, errors report = {}) const
    {
        using callee = std::remove_reference_t<F>;
        detail::frame<callee> frame{visit};
        const std::int32_t status =
            masstree_store_list_trees(handle_, detail::visit_name<callee>, &frame);
        frame.carried.rethrow();
        report.note(status);
    }

    /** Stores a value. */
    template <class K>
    written put(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                std::string_view value, errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        written result;
        report.note(masstree_store_put(handle_, tree.handle(), bytes.view().data(),
                                       bytes.view().size(), value.data(), value.size(),
                                       &result.commit));
        return result;
    }

    /** Stores a value under a key that has none; changes nothing if it has one. */
    template <class K>
    written insert(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                   std::string_view value, errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        written result;
        report.note(masstree_store_insert(handle_, tree.handle(), bytes.view().data(),
                                          bytes.view().size(), value.data(), value.size(),
                                          &result.commit));
        return result;
    }

    /** Removes a key; changes nothing if it has no value. */
    template <class K>
    written remove(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                   errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        written result;
        report.note(masstree_store_remove(handle_, tree.handle(), bytes.view().data(),
                                          bytes.view().size(), &result.commit));
        return result;
    }

    /** Stores a value, and returns the displaced one; its bytes are readable while the guard is held. */
    template <class K>
    exchanged exchange(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                       std::string_view value, guarded with)
    {
        const auto bytes = detail::bytes_of<K>(key);
        exchanged result;
        masstree_version_t old{};
        const std::int32_t status = masstree_store_exchange(
            handle_, tree.handle(), with.handle(), bytes.view().data(), bytes.view().size(),
            value.data(), value.size(), &old, &result.commit);
        with.note(status);
        // No version of a store has the number 0.
        if (old.seqno != 0)
            result.old = version::of(old);
        return result;
    }

    /** Stores a value, if a condition holds for what the key has. */
    template <class K>
    conditional replace_if(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                           const condition &holds, std::string_view value, errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        conditional result;
        return concluded(masstree_store_replace_if(handle_, tree.handle(), bytes.view().data(),
                                                   bytes.view().size(), &holds.to_c(), value.data(),
                                                   value.size(), &result.commit),
                         result, report);
    }

    /** Removes a key, if a condition, which cannot be `absent`, holds for what it has. */
    template <class K>
    conditional remove_if(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                          const condition &holds, errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        conditional result;
        return concluded(masstree_store_remove_if(handle_, tree.handle(), bytes.view().data(),
                                                  bytes.view().size(), &holds.to_c(),
                                                  &result.commit),
                         result, report);
    }

    /** Moves the value of a key to another key; with `force`, displaces a value that this one has. */
    template <class K>
    renamed rename(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type from,
                   typename basic_store_tree<K>::key_type to, bool force = false, errors report = {})
    {
        const auto source = detail::bytes_of<K>(from), target = detail::bytes_of<K>(to);
        renamed result;
        const std::int32_t status = masstree_store_rename(
            handle_, tree.handle(), source.view().data(), source.view().size(),
            target.view().data(), target.view().size(), force ? MASSTREE_RENAME_FORCE : 0,
            &result.commit);
        report.note(status);
        if (status == MASSTREE_EXISTS)
            result.outcome = outcome::mismatch;
        else if (status >= 0)
            result.outcome = static_cast<outcome>(status);
        return result;
    }

    /** Makes all changes of a batch at once, if all of its conditions hold. */
    committed commit(batch &changes, errors report = {})
    {
        committed result;
        std::size_t failed = 0;
        const std::int32_t status =
            masstree_store_commit(handle_, changes.handle(), &result.commit, &failed);
        report.note(status);
        if (status == MASSTREE_MISMATCH)
            result.failed = failed;
        return result;
    }

    /**
     * Calls `body(transaction_body &)`, and commits what it has done; calls it again, at a new snapshot, as
     * often as the commit is refused. `body` returns nothing, or false to discard its writes. Returns the
     * commit's number, or nothing if nothing was committed.
     */
    template <class F>
    std::optional<std::uint64_t> transact(F &&body, const transaction_options &wanted = {},
                                          errors report = {})
    {
        using callee = std::remove_reference_t<F>;
        const masstree_txn_options_t c = wanted.to_c();
        detail::frame<callee> frame{body};
        std::uint64_t commit = 0;
        const std::int32_t status =
            masstree_store_transact(handle_, &c, detail::run_transaction<callee>, &frame, &commit);
        frame.carried.rethrow();
        report.note(status);
        if (commit == 0)
            return std::nullopt;
        return commit;
    }

    /** Waits until a commit, and all before it, have reached a level. */
    void wait(std::uint64_t commit, masstree::level reached = masstree::level::durable,
              errors report = {})
    {
        report.note(masstree_store_wait(handle_, commit, static_cast<std::uint32_t>(reached)));
    }

    /** Waits until everything that was committed is durable. */
    void sync(errors report = {}) { report.note(masstree_store_sync(handle_)); }

    /** Makes a checkpoint, which replaces the log before it. */
    void checkpoint(errors report = {}) { report.note(masstree_store_checkpoint(handle_)); }

    /** The number up to which all commits are durable. */
    [[nodiscard]] std::uint64_t durable() const noexcept { return masstree_store_durable(handle_); }

    /**
     * Calls `done(std::uint64_t commit, bool is_durable)` once when a commit is durable, or when the log
     * has failed before; at the latest in close. `done` is copied or moved; it runs on a thread of the
     * library, or in this call, must return soon, and must not throw.
     */
    template <class F> void on_durable(std::uint64_t commit, F &&done, errors report = {})
    {
        using callee = std::decay_t<F>;
        std::unique_ptr<callee> kept(new (std::nothrow) callee(std::forward<F>(done)));
        if (kept == nullptr)
            return report.fail(errc::no_memory);
        const std::int32_t status =
            masstree_store_on_durable(handle_, commit, detail::call_once<callee>, kept.get());
        if (status == MASSTREE_OK)
            static_cast<void>(kept.release());
        report.note(status);
    }

    /** What has made the log, or the last checkpoint, fail, if something has. */
    [[nodiscard]] std::optional<masstree_store_failure_t> failure(errors report = {}) const
    {
        masstree_store_failure_t failed = MASSTREE_STORE_FAILURE_INIT;
        const std::int32_t status = masstree_store_failure(handle_, &failed);
        report.note(status == MASSTREE_FAILED ? MASSTREE_OK : status);
        if (status != MASSTREE_FAILED)
            return std::nullopt;
        return failed;
    }

    /** Statistics of the store. */
    [[nodiscard]] masstree_store_stats_t stats(errors report = {}) const
    {
        masstree_store_stats_t result = MASSTREE_STORE_STATS_INIT;
        report.note(masstree_store_stats(handle_, &result));
        return result;
    }

    /** The statistics as one line of JSON. */
    [[nodiscard]] std::string stats_json(errors report = {}) const
    {
        std::string json;
        auto append = [&](std::string_view text) { json += text; };
        detail::frame<decltype(append)> frame{append};
        const std::int32_t status =
            masstree_store_stats_json(handle_, detail::run_write<decltype(append)>, &frame);
        frame.carried.rethrow();
        report.note(status);
        return json;
    }

private:
    void open(const char *directory, const store_options &wanted, const errors &report)
    {
        const masstree_store_options_t c = wanted.to_c();
        report.note(masstree_store_open(directory, &c, &handle_));
    }

    static conditional concluded(std::int32_t status, conditional &result, const errors &report)
    {
        report.note(status);
        if (status >= 0)
            result.outcome = static_cast<outcome>(status);
        return result;
    }

    masstree_store_t *handle_ = nullptr;
};

inline batch::batch(const store &of, errors report)
{
    report.note(masstree_batch_create(of.handle(), &handle_));
}

inline transaction::transaction(const store &of, const transaction_options &wanted, errors report)
    : transaction_body(nullptr)
{
    const masstree_txn_options_t c = wanted.to_c();
    report.note(masstree_txn_begin(of.handle(), &c, &handle_));
}

inline changes::changes(const store &of, std::uint64_t since, const changes_options &wanted,
                        errors report)
{
    const masstree_changes_options_t c = wanted.to_c();
    report.note(masstree_store_changes(of.handle(), since, &c, &handle_));
}

} // namespace masstree

#endif
