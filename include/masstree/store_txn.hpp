/**
 * @file
 * Transactions over a store in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_STORE_TXN_HPP
#define MASSTREE_STORE_TXN_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#pragma GCC visibility pop

#include "store_tree.hpp"
#include "store_txn_cursor.hpp"

namespace masstree {

class store;

/** What a transaction's commit demands to be unchanged. */
enum class isolation : std::uint32_t {
    /** Everything that it has read. */
    serializable = MASSTREE_TXN_SERIALIZABLE,
    /** The keys that it writes. */
    snapshot = MASSTREE_TXN_SNAPSHOT,
    /** Nothing: it writes nothing. */
    read_only = MASSTREE_TXN_READ_ONLY
};

/** How far a commit is; each level includes those before it. */
enum class level : std::uint32_t {
    /** All readers see it. */
    memory = MASSTREE_MEMORY,
    /** It survives a crash of the process. */
    written = MASSTREE_WRITTEN,
    /** It survives a loss of power. */
    durable = MASSTREE_DURABLE
};

/** Options of a transaction; masstree_txn_options_t documents them. */
struct transaction_options {
    /** What must be unchanged at its commit. */
    masstree::isolation isolation = masstree::isolation::serializable;
    /** What its commit waits for, if that is more than the store's level. */
    masstree::level level = masstree::level::memory;
    /** Bytes of memory that it may take; 0: the default. */
    std::size_t max_bytes = 0;
    /** How often store::transact runs it at most; 0: until it is not refused. */
    std::uint32_t max_attempts = 0;

    /** Used by the library. */
    [[nodiscard]] masstree_txn_options_t to_c() const noexcept
    {
        masstree_txn_options_t c = MASSTREE_TXN_OPTIONS_INIT;
        c.isolation = static_cast<std::uint32_t>(isolation);
        c.level = static_cast<std::uint32_t>(level);
        c.max_bytes = max_bytes;
        c.max_attempts = max_attempts;
        return c;
    }
};

/** A key because of which a commit was refused. */
struct conflict {
    /** The C handle of its tree. */
    masstree_t *tree = nullptr;
    /** Its bytes: readable until the transaction is begun again or destroyed. */
    std::string_view key;
};

/**
 * The operations of a transaction, which store::transact passes to its callable; a `transaction` also begins
 * and commits. It reads a snapshot of the store, and what it has written itself. Values that it returns are
 * readable until it ends. One thread at a time uses it.
 */
class transaction_body {
public:
    /** Used by the library. */
    explicit transaction_body(masstree_txn_t *handle) noexcept : handle_(handle) {}
    transaction_body(const transaction_body &) = delete;
    transaction_body &operator=(const transaction_body &) = delete;
    ~transaction_body() = default;

    /** The C handle. */
    [[nodiscard]] masstree_txn_t *handle() const noexcept { return handle_; }
    /** The number at which it reads; 0 if it has ended. */
    [[nodiscard]] std::uint64_t seqno() const noexcept { return masstree_txn_seqno(handle_); }

    /** Looks up a key. The version has the number 0 if the transaction has written it. */
    template <class K>
    [[nodiscard]] std::optional<version>
    get(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
        errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        masstree_version_t found{};
        const std::int32_t status = masstree_txn_get(handle_, tree.handle(), bytes.view().data(),
                                                     bytes.view().size(), &found);
        report.note(status);
        if (status != MASSTREE_OK)
            return std::nullopt;
        return version::of(found);
    }

    /**
     * Calls `visit(K, version)` for each key of a range; returns how many were visited. `visit` may use the
     * transaction, but not end it.
     */
    template <class K, class F>
    std::size_t scan(const basic_store_tree<K> &tree, const range<K> &keys, F &&visit,
                     errors report = {})
    {
        using callee = std::remove_reference_t<F>;
        const masstree_range_t c = keys.to_c();
        detail::frame<callee> frame{visit};
        std::size_t count = 0;
        const std::int32_t status = masstree_txn_scan(
            handle_, tree.handle(), &c, detail::visit_version<K, callee>, &frame, &count);
        frame.carried.rethrow();
        report.note(status);
        return count;
    }

    /** A cursor over a tree, at no key. Destroy it before the transaction. */
    template <class K>
    [[nodiscard]] basic_transaction_cursor<K> cursor(const basic_store_tree<K> &tree,
                                                     errors report = {})
    {
        masstree_txn_cursor_t *opened = nullptr;
        report.note(masstree_txn_cursor_open(handle_, tree.handle(), &opened));
        return basic_transaction_cursor<K>(opened);
    }

    /** Stores a value. */
    template <class K>
    void put(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
             std::string_view value, errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        report.note(masstree_txn_put(handle_, tree.handle(), bytes.view().data(),
                                     bytes.view().size(), value.data(), value.size()));
    }

    /** Stores a value under a key that has none; returns whether it had none. */
    template <class K>
    bool insert(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                std::string_view value, errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        const std::int32_t status =
            masstree_txn_insert(handle_, tree.handle(), bytes.view().data(), bytes.view().size(),
                                value.data(), value.size());
        report.note(status);
        return status == MASSTREE_OK;
    }

    /** Removes a key; returns whether it had a value. */
    template <class K>
    bool remove(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        const std::int32_t status = masstree_txn_remove(
            handle_, tree.handle(), bytes.view().data(), bytes.view().size());
        report.note(status);
        return status == MASSTREE_OK;
    }

    /**
     * Moves the value of a key to another key; with `force`, displaces a value that this one has. Returns
     * whether the value is under the target.
     */
    template <class K>
    bool rename(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type from,
                typename basic_store_tree<K>::key_type to, bool force = false, errors report = {})
    {
        const auto source = detail::bytes_of<K>(from), target = detail::bytes_of<K>(to);
        const std::int32_t status =
            masstree_txn_rename(handle_, tree.handle(), source.view().data(), source.view().size(),
                                target.view().data(), target.view().size(),
                                force ? MASSTREE_RENAME_FORCE : 0);
        report.note(status);
        return status == MASSTREE_OK;
    }

protected:
    /** Owned by `transaction`, borrowed by others. */
    masstree_txn_t *handle_ = nullptr;
};

/**
 * A transaction: reads of a snapshot, and writes that `commit` makes at once, unless another commit has
 * changed what it depends on. Destroy it before its store; that discards what is not committed.
 */
class transaction : public transaction_body {
public:
    /** Begins a transaction. */
    explicit transaction(const store &of, const transaction_options &wanted = {}, errors report = {});
    /** Moves from `other`, which cannot be used afterwards. */
    transaction(transaction &&other) noexcept
        : transaction_body(std::exchange(other.handle_, nullptr))
    {
    }
    /** Destroys this transaction, and moves from `other`. */
    transaction &operator=(transaction &&other) noexcept
    {
        transaction destroyed(std::move(*this));
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~transaction() { masstree_txn_destroy(handle_); }

    /** Whether it was begun, and not moved from. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }

    /** Commits; returns the commit's number, or nothing if it is refused: `conflict` says why. */
    std::optional<std::uint64_t> commit(errors report = {})
    {
        std::uint64_t number = 0;
        const std::int32_t status = masstree_txn_commit(handle_, &number);
        report.note(status);
        if (number == 0 || status == MASSTREE_CONFLICT)
            return std::nullopt;
        return number;
    }

    /** Begins again, at a new snapshot, without any reads or writes. */
    void reset(errors report = {}) { report.note(masstree_txn_reset(handle_)); }
    /** Ends it, and discards its writes. */
    void abort() noexcept { masstree_txn_abort(handle_); }

    /** Why its commit was refused, if it was. */
    [[nodiscard]] std::optional<masstree::conflict> conflict(errors report = {}) const
    {
        masstree::conflict found;
        const void *key = nullptr;
        std::size_t len = 0;
        const std::int32_t status = masstree_txn_conflict(handle_, &found.tree, &key, &len);
        report.note(status);
        if (status != MASSTREE_OK)
            return std::nullopt;
        found.key = {static_cast<const char *>(key), len};
        return found;
    }
};

namespace detail {

/** The status of a transaction's callable that returns false. */
inline constexpr std::int32_t declined = 1000;

template <class F> std::int32_t run_transaction(masstree_txn_t *txn, void *ctx) noexcept
{
    auto &self = *static_cast<frame<F> *>(ctx);
    return self.carried.run([&]() -> std::int32_t {
        using result = std::invoke_result_t<F &, transaction_body &>;
        static_assert(std::is_void_v<result> || std::is_same_v<result, bool>,
                      "a transaction's callable returns nothing, or whether to commit");
        transaction_body body(txn);
        if constexpr (std::is_void_v<result>) {
            self.callee(body);
            return MASSTREE_OK;
        } else {
            return self.callee(body) ? MASSTREE_OK : declined;
        }
    });
}

} // namespace detail

} // namespace masstree

#endif
