// Keeps the symbols of these headers apart from masstree-beta's own, in a program with both.
// masstree-beta has no such file; programs include the others.
#ifndef MASSTREE_BETA_ABI_HH
#define MASSTREE_BETA_ABI_HH

/**
 * Marks each class and inline function that has a name of masstree-beta's. A program may compile
 * one file with these headers and another with masstree-beta's, and use the same name for its
 * parameters in both: without the tag, the linker would merge the two functions
 * `Masstree::basic_table<params>::get` wherever the compiler did not inline them. The tag is part
 * of the symbol only: unlike with an inline namespace, a program can still declare the names
 * itself, after one of these headers. Names in namespace masstree_beta need no tag.
 */
#define MASSTREE_BETA_ABI __attribute__((abi_tag("libmasstree")))

// The first declaration of a name must have the tag: these are the first declarations. Programs
// declare one class, threadinfo, before any header: it has no tag (kvthread.hh).
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
