// Nodes, of which programs see the version only.
#ifndef MASSTREE_BETA_MASSTREE_STRUCT_HH
#define MASSTREE_BETA_MASSTREE_STRUCT_HH

#include "masstree.hh"
#include "mtcounters.hh"
#include "nodeversion.hh"
#include "string_slice.hh"
#include "timestamp.hh"

#pragma GCC visibility push(default)
#include <type_traits>
#pragma GCC visibility pop

namespace Masstree {

/**
 * A node. No object of this class exists: a pointer to one identifies a node, and must not be
 * dereferenced by the program. It may be kept, compared, and asked for its version as long as the
 * map lives, even after the node was freed: the version is then one that the node never had before.
 * The lowest six bits of the pointer are 0.
 */
template <typename P>
class node_base {
public:
    typedef ::nodeversion nodeversion_type;
    typedef uint64_t nodeversion_value_type;
    typedef typename P::value_type value_type;
    typedef typename P::threadinfo_type threadinfo;
    typedef typename P::ikey_type ikey_type;
    typedef key<typename P::ikey_type> key_type;
    typedef leaf<P> leaf_type;
    typedef internode<P> internode_type;

    /** The version: changes with each insert and remove, but not when a value is overwritten or a
        cursor locks the node. In visit_leaf, of the leaf passed, the version that the scan read.
        Compare versions with == only. */
    nodeversion_value_type full_version_value() const
    {
        const masstree_observation_t& shown = masstree_beta::shown();
        if (unlikely(shown.leaf == number()))
            return shown.version;
        uint64_t version = 0;
        masstree_beta::check("full_version_value",
            masstree_leaf_version(nullptr, number(), &version));
        return version;
    }
    /** The version, too: no version shows whether the node is locked. */
    nodeversion_value_type full_unlocked_version_value() const
    {
        return full_version_value();
    }
    nodeversion_value_type version_value() const
    {
        return full_version_value();
    }
    nodeversion_value_type unlocked_version_value() const
    {
        return full_version_value();
    }

    /** Programs get leaves only. */
    bool isleaf() const
    {
        return true;
    }

    template <typename Q = P>
    void stable() const
    {
        masstree_beta::no_inside<Q>::node();
    }
    template <typename Q = P>
    void has_changed(nodeversion_value_type) const
    {
        masstree_beta::no_inside<Q>::node();
    }

protected:
    node_base() = delete;

private:
    uint64_t number() const
    {
        return reinterpret_cast<uintptr_t>(this);
    }
};

/** A leaf, as cursors and scanners return it. */
template <typename P>
class leaf : public node_base<P> {
public:
    /** For the slice of the last key: ikey0_[permutation()[permutation().size() - 1]]. */
    masstree_beta::slices<P> ikey0_;

    masstree_beta::last_key<P> permutation() const
    {
        return masstree_beta::last_key<P>();
    }
    template <typename Q = P>
    void size() const
    {
        masstree_beta::no_inside<Q>::node();
    }
};

/** For programs that name this type; no pointer to one exists. */
template <typename P>
class internode : public node_base<P> {
};

} // namespace Masstree

#endif
