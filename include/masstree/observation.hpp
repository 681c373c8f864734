/**
 * @file
 * Observations in the C++ interface of libmasstree: the leaves that prove what a transaction has
 * read. Part of masstree.hpp.
 */
#ifndef MASSTREE_OBSERVATION_HPP
#define MASSTREE_OBSERVATION_HPP

#pragma GCC visibility push(default)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>
#pragma GCC visibility pop

#include "callback.hpp"
#include "calls.hpp"
#include "guard.hpp"
#include "range.hpp"

namespace masstree {

/**
 * A leaf and its version when it was read: see masstree_observation_t. Plain data, usable while the
 * tree lives, with or without a guard.
 */
using observation = masstree_observation_t;

/**
 * Records how writes under a guard change leaves of the tree, for observations::apply:
 *
 *     masstree::recording writes(guard);
 *     tree.put(key, value, guard);
 *     if (!seen.apply(writes)) ... // another thread has changed what was read
 *
 * It records the last write only. Not movable, used by the guard's thread, and destroyed before the
 * guard; a guard has one at a time.
 */
class [[nodiscard]] recording {
public:
    /** Records writes under `observed`, each with at most `room` created leaves. */
    explicit recording(const guard &observed, std::size_t room = 32, errors report = {})
        : created_(new(std::nothrow) observation[room]), guard_(observed.handle())
    {
        if (created_ == nullptr) {
            guard_ = nullptr;
            report.fail(errc::no_memory);
            return;
        }
        delta_.created = created_.get();
        delta_.created_capacity = room;
        report.note(masstree_guard_record(guard_, &delta_));
    }
    /** Deleted: the guard must outlive this object. */
    explicit recording(guard &&, std::size_t = 32, errors = {}) = delete;
    /** Not movable: the guard keeps its address. */
    recording(const recording &) = delete;
    /** Not movable: the guard keeps its address. */
    recording &operator=(const recording &) = delete;
    ~recording()
    {
        if (guard_ != nullptr)
            masstree_guard_record(guard_, nullptr);
    }

    /** The delta of the last write. */
    [[nodiscard]] const masstree_delta_t &delta() const noexcept { return delta_; }

private:
    masstree_delta_t delta_ = MASSTREE_DELTA_INIT;
    std::unique_ptr<observation[]> created_;
    masstree_guard_t *guard_;
};

/**
 * The leaves that prove what a transaction has read: filled by `tree.observed(seen)` and by
 * cursors, validated by `tree.validate(seen)`. A value type, used by one thread at a time.
 */
class observations {
public:
    /** Adds a leaf. */
    void add(const observation &leaf) { leaves_.push_back(leaf); }
    /** Adds a leaf, so that a set serves as a visitor of leaves. */
    void operator()(const observation &leaf) { add(leaf); }

    /** The number of leaves, duplicates included. */
    [[nodiscard]] std::size_t size() const noexcept { return leaves_.size(); }
    /** Whether the set has no leaf. */
    [[nodiscard]] bool empty() const noexcept { return leaves_.empty(); }
    /** The leaves, in the order of their addition. */
    [[nodiscard]] const observation *data() const noexcept { return leaves_.data(); }
    /** Removes all leaves. */
    void clear() noexcept { leaves_.clear(); }

    /**
     * Updates the set after a write of its owner (see masstree_delta_apply). Returns false if the
     * transaction cannot be validated any more: another thread had changed the leaf before, or the
     * delta does not describe all changes.
     */
    [[nodiscard]] bool apply(const recording &writes, errors report = {})
    {
        const masstree_delta_t &delta = writes.delta();
        const std::size_t before = leaves_.size();
        std::size_t count = before;
        leaves_.resize(before + std::min(delta.created_count, delta.created_capacity));
        const std::int32_t status =
            masstree_delta_apply(&delta, leaves_.data(), &count, leaves_.size());
        leaves_.resize(status == MASSTREE_OK ? count : before);
        report.note(status);
        return status == MASSTREE_OK;
    }

private:
    std::vector<observation> leaves_;
};

namespace detail {

/** A visitor of keys and one of leaves. */
template <class F, class L> struct observed_frame : frame<F> {
    observed_frame(F &visit, L &leaf) : frame<F>{visit}, on_leaf(leaf) {}

    static std::int32_t call(const observation *leaf, void *ctx) noexcept
    {
        auto &self = *static_cast<observed_frame *>(static_cast<frame<F> *>(ctx));
        return self.carried.run([&] { return visit(self.on_leaf, *leaf); });
    }

    /** The `ctx` for the C function. */
    frame<F> *ctx() noexcept { return this; }

    L &on_leaf;
};

/** Calls a visitor of leaves outside of any C frame. */
template <class L> void show(L &on_leaf, std::int32_t status, const observation &leaf)
{
    if (status >= 0)
        static_cast<void>(visit(on_leaf, leaf));
}

} // namespace detail

/**
 * Reads of a tree that pass each leaf to `on_leaf(const observation &)` before the keys from it;
 * tree::observed makes one. While all of these leaves are unchanged, the same reads return the
 * same keys. `on_leaf` returns void or a masstree::flow; a set of observations serves. It must
 * outlive this object, and so must the tree.
 */
template <class T, class K, class L> class [[nodiscard]] observed_tree {
    using traits = detail::value_traits<T>;
    using view_context = std::conditional_t<traits::owned, guarded, context>;

public:
    /** Used by tree::observed. */
    observed_tree(const masstree_t *tree, L &on_leaf) noexcept : tree_(tree), on_leaf_(on_leaf) {}

    /** tree::get, with the leaf that contains the key, or would contain it. */
    [[nodiscard]] std::optional<typename traits::view> get(K key, view_context with = {}) const
    {
        std::uint64_t word;
        observation leaf;
        const std::int32_t status = detail::calls<K>::get_observed(
            tree_, with.handle(), detail::encode(key), &word, &leaf);
        with.note(status);
        detail::show(on_leaf_, status, leaf);
        if (status != MASSTREE_OK)
            return std::nullopt;
        return traits::from_word(word);
    }

    /** tree::scan; passes at least one leaf. */
    template <class F>
    std::size_t scan(const range<K> &keys, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        using frame = detail::observed_frame<callee, L>;
        const masstree_range_t c = keys.to_c();
        frame both(visit, on_leaf_);
        std::size_t visited = 0;
        const std::int32_t status = masstree_scan_observed(
            tree_, with.handle(), &c, frame::call, detail::visit_words<K, T, callee>::items,
            both.ctx(), &visited);
        both.carried.rethrow();
        with.note(status);
        return visited;
    }

private:
    const masstree_t *tree_;
    L &on_leaf_;
};

/** observed_tree for byte strings; made by bytes_tree::observed. */
template <class K, class L> class [[nodiscard]] observed_bytes_tree {
public:
    /** Used by bytes_tree::observed. */
    observed_bytes_tree(const masstree_t *tree, L &on_leaf) noexcept
        : tree_(tree), on_leaf_(on_leaf)
    {
    }

    /** bytes_tree::get, with the leaf that contains the key, or would contain it. */
    [[nodiscard]] std::optional<std::string_view> get(K key, guarded with) const
    {
        const typename detail::key_traits<K>::bytes bytes(key);
        masstree_slice_t value;
        observation leaf;
        const std::int32_t status =
            masstree_get_bytes_observed(tree_, with.handle(), bytes.view().data(),
                                        bytes.view().size(), &value, &leaf);
        with.note(status);
        detail::show(on_leaf_, status, leaf);
        return detail::view_if(status == MASSTREE_OK, value);
    }

    /** bytes_tree::scan; passes at least one leaf. */
    template <class F>
    std::size_t scan(const range<K> &keys, F &&visit, context with = {}) const
    {
        using callee = std::remove_reference_t<F>;
        using frame = detail::observed_frame<callee, L>;
        const masstree_range_t c = keys.to_c();
        frame both(visit, on_leaf_);
        std::size_t visited = 0;
        const std::int32_t status = masstree_scan_bytes_observed(
            tree_, with.handle(), &c, frame::call, detail::visit_bytes<K, callee>::items,
            both.ctx(), &visited);
        both.carried.rethrow();
        with.note(status);
        return visited;
    }

private:
    const masstree_t *tree_;
    L &on_leaf_;
};

} // namespace masstree

#endif
