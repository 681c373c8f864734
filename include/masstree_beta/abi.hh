// What keeps the names of these headers apart from masstree-beta's own, in a program that has both.
// masstree-beta has no such file; programs include the others.
#ifndef MASSTREE_BETA_ABI_HH
#define MASSTREE_BETA_ABI_HH

/**
 * Stands before each class and inline function that has a name of masstree-beta's. A program may
 * compile one file with these headers and another with masstree-beta's, and name its parameters
 * alike in both: the linker would then merge `Masstree::basic_table<params>::get` of the one with
 * that of the other wherever the compiler did not inline it. The tag is part of the symbol, and
 * of nothing that a program can see: unlike an inline namespace, it lets a program declare the
 * names itself, after one of these headers. What is in namespace masstree_beta needs no tag.
 */
#define MASSTREE_BETA_ABI __attribute__((abi_tag("libmasstree")))

// A tag belongs to the first declaration of a name, and each of these headers has all of them. The
// one class that programs declare before any header is threadinfo: it has none (kvthread.hh).
namespace lcdf {
struct MASSTREE_BETA_ABI Str;
class MASSTREE_BETA_ABI String;
class MASSTREE_BETA_ABI Json;
} // namespace lcdf

namespace Masstree {
template <typename I> class MASSTREE_BETA_ABI key;
template <typename P> class MASSTREE_BETA_ABI basic_table;
template <typename P> class MASSTREE_BETA_ABI node_base;
template <typename P> class MASSTREE_BETA_ABI leaf;
template <typename P> class MASSTREE_BETA_ABI internode;
template <typename P> class MASSTREE_BETA_ABI unlocked_tcursor;
template <typename P> class MASSTREE_BETA_ABI tcursor;
template <typename P> class MASSTREE_BETA_ABI scanstackelt;
template <typename T> class MASSTREE_BETA_ABI value_print;
} // namespace Masstree

#endif
