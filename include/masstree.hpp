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
 * - masstree::tree is for values of at most 8 bytes, and for objects that the tree owns;
 *   masstree::bytes_tree keeps byte strings. Keys are std::string_view, or integers.
 * - Thread safety: every function of a tree may be called by any thread at any time, but for
 *   destructors, assignment and swap. A guard, cursor or view is used by one thread at a time.
 * - Ownership: trees, guards and cursors are movable objects that give back what they hold.
 *   Cursors and views must be gone before their guard, and guards before their tree.
 * - Invalidation: no change of a tree invalidates a guard, a cursor or an iterator. Owned objects,
 *   and bytes that were not copied, are good while the guard they were read under is held and not
 *   refreshed; what gives them for longer than a callback demands a guard, or has one of its own.
 *   A key that a cursor, an iterator or a visitor gives is good until the next step.
 * - Transactions: `tree.observing(seen)` reads and adds to a set of masstree::observations which
 *   leaves prove what was read; `tree.validate(seen)` says later whether that still holds.
 *   `tree.hold(key, guard)` keeps a key's leaf locked until the result lets go.
 * - Errors are thrown as masstree::error, or stored in an std::error_code that is passed last; both
 *   have masstree::category(). "Not found" is no error, but an empty std::optional or false.
 *   Exceptions of callbacks come out of the function that was given the callback, after the
 *   library's frames have returned. Without exceptions (-fno-exceptions), an error that no
 *   std::error_code receives ends the program. -fno-rtti works too. All files of a program must
 *   be compiled either with exceptions, or without.
 * - Shared objects may each use the header, hide their symbols (-fvisibility=hidden, or a pragma
 *   around the header), and be loaded with RTLD_LOCAL: errors of all of them compare equal to an
 *   errc, and are caught as masstree::error.
 * - Complexity: what works on one key takes O(length of the key + log n); what works on a range,
 *   O(log n) and what it goes through. Of memory of its own the wrapper takes only what a view
 *   reads ahead, arrays for bulk_load, a deleter that has state, and the results that it returns.
 *
 * What the C functions promise, masstree.h says; `handle()` of every object leads there.
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
#include "masstree/tree.hpp"

namespace masstree {

/** The version of the library in use, as text. */
[[nodiscard]] inline const char *version_string() noexcept
{
    return masstree_version_string();
}

/** The version of the library in use, as MASSTREE_VERSION_NUMBER counts. */
[[nodiscard]] inline std::uint32_t version_number() noexcept
{
    return masstree_version_number();
}

/** The ABI number of the library in use, to be compared with MASSTREE_ABI_VERSION. */
[[nodiscard]] inline std::uint32_t abi_version() noexcept
{
    return masstree_abi_version();
}

} // namespace masstree

#endif
