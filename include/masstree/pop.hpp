/**
 * @file
 * Keys that the trees of libmasstree pop. Part of masstree.hpp.
 */
#ifndef MASSTREE_POP_HPP
#define MASSTREE_POP_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#pragma GCC visibility pop

#include "key.hpp"

namespace masstree {

namespace detail {

/** A key that was popped, for a tree with keys of type K. Allocates before the key leaves the tree. */
template <class K> class popped_key {
public:
    /** Calls `pop(buffer, capacity, &len)` until the key fits. Returns the status. */
    template <class P> std::int32_t take(P &&pop)
    {
        // Ends: each round has more room, and keys are at most 2^32 - 1 bytes long.
        for (;;) {
            std::size_t len = 0;
            const std::int32_t status = pop(bytes_.data(), bytes_.size(), &len);
            if (status != MASSTREE_TOO_SMALL) {
                bytes_.resize(status == MASSTREE_OK ? len : 0);
                return status;
            }
            bytes_.resize(len);
        }
    }

    /** The key. */
    owned_key<K> get() &&
    {
        if constexpr (key_traits<K>::is_integer)
            return key_traits<K>::from_slice(bytes_.data(), bytes_.size());
        else
            return std::move(bytes_);
    }

private:
    /** Room that needs no memory. */
    std::string bytes_ = std::string(std::string().capacity(), '\0');
};

} // namespace detail

} // namespace masstree

#endif
