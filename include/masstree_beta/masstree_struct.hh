// Nodes, as far as programs may know them: something that has a version.
#ifndef MASSTREE_BETA_MASSTREE_STRUCT_HH
#define MASSTREE_BETA_MASSTREE_STRUCT_HH

#include "masstree.hh"
#include "mtcounters.hh"
#include "nodeversion.hh"
#include "string_slice.hh"
#include "timestamp.hh"

#include <type_traits>

namespace Masstree {

/**
 * A node. There are no objects of this class: a pointer to one is the name of a node, and nothing
 * is where it points to that a program could read. It may be kept, compared, and asked for the
 * version as long as the map lives, also when the node is long gone: it has a version then that it
 * never had before. The lowest six bits of the pointer are 0.
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

    /** The version: another one after each insert and remove; the same when a value changes, and
        while a cursor has the node locked. In visit_leaf, of the leaf that is shown, the version
        that was read. To be compared with ==, for nothing else. */
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
    /** The same: no version shows whether the node is locked. */
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

    /** Programs are given no others. */
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

/** A leaf: what cursors and scanners are given. */
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

/** For programs that have a name for this type; there are no pointers to any. */
template <typename P>
class internode : public node_base<P> {
};

} // namespace Masstree

#endif
