/**
 * @file
 * Batches of writes to a store in the C++ interface of libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_STORE_BATCH_HPP
#define MASSTREE_STORE_BATCH_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#pragma GCC visibility pop

#include "store_tree.hpp"

namespace masstree {

class store;

/**
 * Writes and conditions, of any trees of one store, that store::commit makes and checks at once. Keys and
 * values are copied. Operations have effect in their order. One thread at a time uses a batch, which must be
 * destroyed before the store is closed.
 */
class batch {
public:
    /** An empty batch of a store. */
    explicit batch(const store &of, errors report = {});
    /** Moves from `other`, which cannot be used afterwards. */
    batch(batch &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    /** Destroys this batch, and moves from `other`. */
    batch &operator=(batch &&other) noexcept
    {
        batch destroyed(std::move(*this));
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~batch() { masstree_batch_destroy(handle_); }

    /** Whether it was made, and not moved from. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }
    /** The C handle; this object keeps owning it. */
    [[nodiscard]] masstree_batch_t *handle() const noexcept { return handle_; }

    /** Removes all operations, and keeps the memory. */
    void clear() noexcept { masstree_batch_clear(handle_); }
    /** The number of operations. */
    [[nodiscard]] std::size_t size() const noexcept { return masstree_batch_len(handle_); }
    /** Whether it has no operation. */
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

    /** Stores a value. */
    template <class K>
    batch &put(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
               std::string_view value, errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        report.note(masstree_batch_put(handle_, tree.handle(), bytes.view().data(),
                                       bytes.view().size(), value.data(), value.size()));
        return *this;
    }

    /** Removes a key, whether or not it has a value. */
    template <class K>
    batch &remove(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                  errors report = {})
    {
        return add<K>(masstree_batch_remove, tree, key, report);
    }

    /** Moves the value of a key to another one; demands that it has one, and without `force` that the
        target has none. */
    template <class K>
    batch &rename(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type from,
                  typename basic_store_tree<K>::key_type to, bool force = false, errors report = {})
    {
        const auto source = detail::bytes_of<K>(from), target = detail::bytes_of<K>(to);
        report.note(masstree_batch_rename(handle_, tree.handle(), source.view().data(),
                                          source.view().size(), target.view().data(),
                                          target.view().size(), force ? MASSTREE_RENAME_FORCE : 0));
        return *this;
    }

    /** Demands that a key has no value. */
    template <class K>
    batch &assert_absent(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                         errors report = {})
    {
        return add<K>(masstree_batch_assert_absent, tree, key, report);
    }

    /** Demands that a key has a value. */
    template <class K>
    batch &assert_present(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                          errors report = {})
    {
        return add<K>(masstree_batch_assert_present, tree, key, report);
    }

    /** Demands that a key has the value that this commit stored. */
    template <class K>
    batch &assert_version(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                          std::uint64_t commit, errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        report.note(masstree_batch_assert_version(handle_, tree.handle(), bytes.view().data(),
                                                  bytes.view().size(), commit));
        return *this;
    }

    /** Demands that a key has this value. */
    template <class K>
    batch &assert_value(const basic_store_tree<K> &tree, typename basic_store_tree<K>::key_type key,
                        std::string_view value, errors report = {})
    {
        const auto bytes = detail::bytes_of<K>(key);
        report.note(masstree_batch_assert_value(handle_, tree.handle(), bytes.view().data(),
                                                bytes.view().size(), value.data(), value.size()));
        return *this;
    }

    /** Demands that no key that begins with these bytes has a value. */
    template <class K>
    batch &assert_prefix_empty(const basic_store_tree<K> &tree, std::string_view prefix,
                               errors report = {})
    {
        report.note(masstree_batch_assert_prefix_empty(handle_, tree.handle(), prefix.data(),
                                                       prefix.size()));
        return *this;
    }

private:
    using key_function = std::int32_t(masstree_batch_t *, masstree_t *, const void *, std::size_t);

    template <class K>
    batch &add(key_function *function, const basic_store_tree<K> &tree, K key, const errors &report)
    {
        const auto bytes = detail::bytes_of<K>(key);
        report.note(
            function(handle_, tree.handle(), bytes.view().data(), bytes.view().size()));
        return *this;
    }

    masstree_batch_t *handle_ = nullptr;
};

} // namespace masstree

#endif
