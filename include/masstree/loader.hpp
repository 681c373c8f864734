/**
 * @file
 * Loads of empty trees from a callable or by several threads, and exports of trees, in the C++
 * interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_LOADER_HPP
#define MASSTREE_LOADER_HPP

#pragma GCC visibility push(default)
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#pragma GCC visibility pop

#include "batch.hpp"
#include "bytes_tree.hpp"
#include "callback.hpp"
#include "tree.hpp"

namespace masstree {

namespace detail {

/** How the keys and values of a tree are loaded and exported. */
template <class Tree> struct loads;

template <class T, class K> struct loads<tree<T, K>> {
    using value = word_tree_value<T>;
    using many = word_batches<T, K>;
    static constexpr bool owned = value_traits<T>::owned;
    static constexpr auto from = masstree_bulk_load_from;
    static constexpr auto export_to = masstree_export_to;
    static constexpr auto add_slices = masstree_loader_add_many;
    static constexpr auto add = calls<K>::loader_add;
};

template <class K> struct loads<basic_bytes_tree<K>> {
    using value = byte_tree_value;
    using many = byte_batches<K>;
    static constexpr bool owned = false;
    static constexpr auto from = masstree_bulk_load_from_bytes;
    static constexpr auto export_to = masstree_export_to_bytes;
    static constexpr auto add_slices = masstree_loader_add_many_bytes;
    static constexpr auto add = masstree_loader_add_many_bytes;
};

/** A callable that returns optional pairs, as the source of a load. */
template <class Tree, class F> class pair_source {
    using key = byte_tree_key<typename Tree::key_type>;
    using value = typename loads<Tree>::value;
    using raw = typename value::type;
    static constexpr std::size_t most = key::is_view || value::is_view ? 1 : batch;

public:
    explicit pair_source(F &callee) noexcept : callee_(callee) {}

    carrier carried{};

    static std::int32_t next(masstree_slice_t *keys, raw *values, std::size_t capacity,
                             std::size_t *count, void *ctx) noexcept
    {
        auto &self = *static_cast<pair_source *>(ctx);
        const std::size_t room = std::min(capacity, most);
        std::int32_t status = self.carried.has_thrown() ? threw : MASSTREE_OK;
        while (status == MASSTREE_OK && *count < room && !self.ended_) {
            status = self.carried.run([&]() -> std::int32_t {
                auto item = self.callee_();
                self.ended_ = !item;
                if (item) {
                    // The views of the last item stay valid until the next call.
                    self.item_.emplace(std::move(*item));
                    keys[*count] = key::make(self.item_->first, self.stores_[*count]);
                    values[*count] = value::make(self.item_->second);
                    value::accept(self.item_->second);
                    ++*count;
                }
                return MASSTREE_OK;
            });
        }
        // The load gets the pairs before an exception, since it owns their values now.
        return *count == 0 && status == MASSTREE_OK ? std::int32_t{MASSTREE_END}
               : *count != 0                        ? std::int32_t{MASSTREE_OK}
                                                    : status;
    }

private:
    F &callee_;
    bool ended_ = false;
    std::optional<typename std::invoke_result_t<F &>::value_type> item_;
    typename key::store stores_[most];
};

} // namespace detail

/**
 * Fills an empty tree with the ascending keys that a callable returns, all at once: returns false if
 * the tree is not empty. `next()` returns an std::optional of a pair of key and value, and
 * std::nullopt after the last. If the load fails, or `next` throws, nothing changes, and the tree
 * destroys the values that it owns; `offender` receives the number of keys before that with an
 * error. `next` may use the tree, but must not refresh or leave the guard `with`.
 */
template <class Tree, class F>
[[nodiscard]] bool load_from(Tree &to, F &&next, context with = {}, std::size_t *offender = nullptr)
{
    using source = detail::pair_source<Tree, std::remove_reference_t<F>>;
    source pairs(next);
    const std::int32_t status =
        detail::loads<Tree>::from(to.handle(), with.handle(), source::next, &pairs, offender);
    pairs.carried.rethrow();
    with.note(status);
    return status == MASSTREE_OK;
}

/**
 * Collects ascending keys to load into an empty tree. Each thread fills a loader with a range of its
 * own; then one thread passes all of them, in order, to `finish`. Until then no key is in the tree.
 * The values belong to the loader, which is destroyed before its tree.
 *
 * Movable. Used by one thread at a time.
 */
template <class Tree> class [[nodiscard]] loader {
    using loads = detail::loads<Tree>;

public:
    /** The type of the tree. */
    using tree_type = Tree;

    /** A loader for `to`. After an error in an std::error_code, operator bool is false. */
    explicit loader(Tree &to, errors report = {})
    {
        report.note(masstree_loader_open(to.handle(), &handle_));
    }
    /** Moves from `other`, which cannot be used afterwards. */
    loader(loader &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    /** Closes this loader and moves from `other`. */
    loader &operator=(loader &&other) noexcept
    {
        loader closed(std::move(other));
        std::swap(handle_, closed.handle_);
        return *this;
    }
    ~loader() { masstree_loader_close(handle_); }

    /** Whether this object has a loader. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }

    /** The C handle; this object keeps owning it. */
    [[nodiscard]] masstree_loader_t *handle() const noexcept { return handle_; }

    /**
     * Adds the keys of one container, each above all before it, with the values of another. Returns
     * how many were added: all, unless an error occurred. Moves from each std::unique_ptr added.
     */
    template <class Keys, class Values>
    std::size_t add(const Keys &keys, Values &&values, errors report = {})
    {
        std::size_t sum = 0;
        bool failed = false;
        loads::many::write(
            keys, values, report,
            [&](auto &b, std::size_t n) -> std::int32_t {
                if (failed)
                    return MASSTREE_INVALID;
                std::size_t added = 0;
                const std::int32_t status = loads::add(handle_, b.keys, b.values, n, &added);
                failed = status != MASSTREE_OK;
                std::fill_n(b.statuses, added, std::int32_t{MASSTREE_OK});
                sum += added;
                return status;
            },
            [](auto &, std::size_t) {});
        return sum;
    }

private:
    masstree_loader_t *handle_ = nullptr;
};

/**
 * Fills an empty tree with the keys of a container of loaders, each above all keys of those before
 * it, all at once: returns false if the tree is not empty; then it may be repeated with the same
 * loaders. `offender` receives the index of a loader that is out of order.
 */
template <class Tree, class Loaders>
[[nodiscard]] bool finish(Tree &to, const Loaders &loaders, context with = {},
                          std::size_t *offender = nullptr)
{
    const std::size_t count = detail::length(loaders);
    const auto handles = detail::array_of<masstree_loader_t *>(count);
    std::int32_t status = MASSTREE_NOMEM;
    if (handles != nullptr) {
        std::transform(std::begin(loaders), std::end(loaders), handles.get(),
                       [](const loader<Tree> &one) { return one.handle(); });
        status = masstree_loader_finish(to.handle(), with.handle(), handles.get(), count, offender);
    }
    with.note(status);
    return status == MASSTREE_OK;
}

/**
 * Adds the keys and values of a range of one tree to a loader of another. Returns
 * how many keys it passed to the loader: after an error, the loader may have taken fewer.
 */
template <class Tree>
std::size_t export_to(const Tree &from, loader<Tree> &to,
                      const range<typename Tree::key_type> &keys = {}, context with = {})
{
    static_assert(!detail::loads<Tree>::owned, "two trees cannot own the same objects");
    const masstree_range_t c = keys.to_c();
    std::size_t exported = 0;
    const auto add = [](auto *all_keys, auto *values, std::size_t n, void *ctx) {
        return detail::loads<Tree>::add_slices(static_cast<masstree_loader_t *>(ctx), all_keys,
                                               values, n, nullptr);
    };
    with.note(detail::loads<Tree>::export_to(from.handle(), with.handle(), &c, add, to.handle(),
                                             &exported));
    return exported;
}

} // namespace masstree

#endif
