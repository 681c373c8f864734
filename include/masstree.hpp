/**
 * @file
 * libmasstree for C++17 and later: a concurrent ordered map, over the C interface in masstree.h.
 * Header-only; a program links the library itself, and needs nothing but this directory of headers.
 *
 *     masstree::tree<int> stock;                          // keys are bytes, values integers
 *     stock.put("pear", 3);
 *     if (auto pears = stock.get("pear")) ...             // std::optional<int>
 *     stock.update("pear", [](std::optional<int> n) { return n.value_or(0) + 1; });
 *     for (auto [fruit, number] : stock.items()) ...
 *
 * - masstree::tree stores values of at most 8 bytes, or objects that the tree owns;
 *   masstree::bytes_tree stores byte strings. Keys are std::string_view, or integers.
 * - Thread safety: any thread may call any function of a tree at any time, except destructors,
 *   assignment and swap. One thread at a time uses a guard, cursor or view.
 * - Ownership: trees, guards and cursors are movable objects that release their resources. Destroy
 *   cursors and views before their guard, and guards before their tree.
 * - Invalidation: no change of a tree invalidates a guard, a cursor or an iterator. Owned objects,
 *   and bytes that were not copied, stay valid until the guard under which they were read is
 *   refreshed or left; functions that return them for longer than a callback require a guard, or
 *   have one of their own. A key that a cursor, an iterator or a visitor provides is valid until
 *   the next step.
 * - Transactions: `tree.observed(seen)` reads, and adds the leaves that prove the result to a set
 *   of masstree::observations; `tree.validate(seen)` checks later whether they are unchanged.
 *   `tree.hold(key, guard)` keeps a key's leaf locked until the returned object releases it.
 * - Stores: masstree::store opens a directory, whose trees (masstree::store_tree) are in memory and
 *   whose writes are logged; masstree::batch makes several at once.
 * - Errors are thrown as masstree::error, or stored in an std::error_code that is passed last; both
 *   have masstree::category(). "Not found" is no error, but an empty std::optional or false.
 *   An exception of a callback leaves the function that the callback was passed to, after the
 *   library's frames have returned. Without exceptions (-fno-exceptions), an error that no
 *   std::error_code receives ends the program. -fno-rtti works too. Compile all files of a program
 *   either with exceptions, or without.
 * - Shared objects may each use the header, hide their symbols (-fvisibility=hidden, or a pragma
 *   around the header), and be loaded with RTLD_LOCAL: errors of all of them compare equal to an
 *   errc, and are caught as masstree::error.
 * - Complexity: operations on one key take O(length of the key + log n), operations on a range
 *   O(log n + keys visited). The wrapper itself allocates only a view's read-ahead buffer, arrays
 *   for bulk_load, a deleter that has state, and the results that it returns.
 *
 * masstree.h, masstree/occ.h, masstree/versioned.h and masstree/store.h document the C functions; `handle()` of every object returns the
 * C object.
 */
#ifndef MASSTREE_HPP
#define MASSTREE_HPP

#if __cplusplus < 201703L
#error "masstree.hpp needs C++17 or later"
#endif

#pragma GCC visibility push(default)
#include <cstdint>
#pragma GCC visibility pop

#include "masstree/bytes_tree.hpp"
#include "masstree/loader.hpp"
#include "masstree/store.hpp"
#include "masstree/tree.hpp"
#include "masstree/versioned_tree.hpp"

namespace masstree {

/** The version of the library in use, as text. */
[[nodiscard]] inline const char *version_string() noexcept
{
    return masstree_version_string();
}

/** The version of the library in use, encoded as MASSTREE_VERSION_NUMBER. */
[[nodiscard]] inline std::uint32_t version_number() noexcept
{
    return masstree_version_number();
}

/** The ABI number of the library in use; compare it with MASSTREE_ABI_VERSION. */
[[nodiscard]] inline std::uint32_t abi_version() noexcept
{
    return masstree_abi_version();
}

} // namespace masstree

#endif
