// The map and its compile-time parameters.
#ifndef MASSTREE_BETA_MASSTREE_HH
#define MASSTREE_BETA_MASSTREE_HH

#include "compiler.hh"
#include "libmasstree.hh"
#include "masstree_key.hh"
#include "nodeversion.hh"
#include "str.hh"
#include "table_guard.hh"
#include "timestamp.hh"

#pragma GCC visibility push(default)
#include <string>
#pragma GCC visibility pop

namespace Masstree {

using lcdf::Str;

/**
 * The base class of a table's parameters. A table uses `value_type` and `threadinfo_type` only; the
 * widths and all other parameters have no effect: nodes have room for 15 keys, and any number of
 * threads may use a table.
 */
template <int LW = 15, int IW = LW>
struct MASSTREE_BETA_ABI nodeparams {
    static constexpr int leaf_width = LW;
    static constexpr int internode_width = IW;
    static constexpr bool concurrent = true;
    static constexpr bool prefetch = true;
    static constexpr int debug_level = 0;
    static constexpr ssize_t print_max_indent_depth = 12;
    typedef uint64_t ikey_type;
    typedef uint64_t nodeversion_value_type;
};
#if __cplusplus < 201703L
template <int LW, int IW> constexpr int nodeparams<LW, IW>::leaf_width;
template <int LW, int IW> constexpr int nodeparams<LW, IW>::internode_width;
template <int LW, int IW> constexpr bool nodeparams<LW, IW>::concurrent;
template <int LW, int IW> constexpr bool nodeparams<LW, IW>::prefetch;
template <int LW, int IW> constexpr int nodeparams<LW, IW>::debug_level;
template <int LW, int IW> constexpr ssize_t nodeparams<LW, IW>::print_max_indent_depth;
#endif

/**
 * A map from keys to values. As in masstree-beta, an object of this class is a handle: copies are
 * the same map, and the map lives until destroy, not until the object is destroyed.
 */
template <typename P>
class basic_table {
public:
    typedef P parameters_type;
    typedef P param_type;
    typedef typename P::value_type value_type;
    typedef typename P::threadinfo_type threadinfo;
    typedef node_base<P> node_type;
    typedef leaf<P> leaf_type;
    typedef internode<P> internode_type;
    typedef unlocked_tcursor<P> unlocked_cursor_type;
    typedef tcursor<P> cursor_type;
    typedef key<typename P::ikey_type> key_type;

    basic_table() : tree_(nullptr)
    {
    }

    /** Creates the empty map. Call it once before anything else, and again after destroy. */
    void initialize(threadinfo&)
    {
        tree_ = nullptr;
        masstree_beta::check("basic_table::initialize", masstree_create(nullptr, &tree_));
    }
    /** Frees the map, which no thread or cursor may use any more. The program owns the values. */
    void destroy(threadinfo&)
    {
        masstree_beta::table_guard::leave_all(tree_);
        masstree_destroy(tree_);
        tree_ = nullptr;
    }

    /** Whether the key exists; if so, stores its value in `value`. */
    bool get(Str key, value_type& value, threadinfo& ti) const
    {
        uint64_t bits;
        const int32_t status = masstree_get(tree(), guard_of(ti, tree_), key.s,
            masstree_beta::length_of(key.s, key.len), &bits);
        if (status == MASSTREE_NOT_FOUND)
            return false;
        masstree_beta::check("basic_table::get", status);
        value = masstree_beta::word<value_type>(bits).value();
        return true;
    }

    /**
     * Passes the keys from firstkey upwards to scanner.visit_value(key, value, ti), firstkey itself
     * only if matchfirst, until it returns false; and each leaf, as it was read, to
     * scanner.visit_leaf(stack, key, ti) before the keys from it. Returns the number of keys
     * visited.
     */
    template <typename F>
    int scan(Str firstkey, bool matchfirst, F& scanner, threadinfo& ti) const;
    /** scan in descending order. */
    template <typename F>
    int rscan(Str firstkey, bool matchfirst, F& scanner, threadinfo& ti) const;

    /** Writes the nodes of the map to stdout or f, as masstree_dump does. */
    void print(FILE* f = nullptr) const
    {
        struct writer {
            static void write(const char* text, size_t length, void* file)
            {
                fwrite(text, 1, length, static_cast<FILE*>(file));
            }
        };
        masstree_beta::check("basic_table::print",
            masstree_dump(tree(), nullptr, MASSTREE_DUMP_TEXT, writer::write,
                f == nullptr ? stdout : f));
    }

    template <typename Q = P>
    node_type* root() const
    {
        return masstree_beta::no_inside<Q>::node();
    }

    /** The C handle of the map, for functions that masstree-beta does not have. */
    masstree_t* c_tree() const
    {
        return tree();
    }

private:
    friend class unlocked_tcursor<P>;
    friend class tcursor<P>;
    // Checks value_type where the table is declared, not where a value is first used.
    typedef masstree_beta::word<value_type> word;
    static_assert(sizeof(word) == sizeof(uint64_t), "one word");

    /** The guard of the table that this thread already has, or NULL. */
    static masstree_guard_t* guard_of(threadinfo& ti, const masstree_t* tree)
    {
        using masstree_beta::table_guard_of;
        const masstree_beta::table_guard* const kept = table_guard_of(ti);
        return kept == nullptr ? nullptr : kept->of(tree);
    }
    masstree_t* tree() const
    {
        require(tree_);
        return tree_;
    }
    static void require(const masstree_t* tree)
    {
        if (unlikely(tree == nullptr))
            masstree_beta::die("basic_table", "is used before initialize, or after destroy");
    }

    masstree_t* tree_;
};

} // namespace Masstree

#endif
