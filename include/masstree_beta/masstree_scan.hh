// Scans in both directions.
#ifndef MASSTREE_BETA_MASSTREE_SCAN_HH
#define MASSTREE_BETA_MASSTREE_SCAN_HH

#include "masstree_struct.hh"

namespace Masstree {

/** A leaf as a scan read it: the next keys that visit_value gets are from this moment. */
template <typename P>
class scanstackelt {
public:
    typedef leaf<P> leaf_type;
    typedef node_base<P> node_type;
    typedef typename node_type::nodeversion_value_type nodeversion_value_type;

    explicit scanstackelt(const masstree_observation_t& observed) : observed_(observed)
    {
    }
    leaf_type* node() const
    {
        return masstree_beta::node_of<leaf_type>(observed_);
    }
    nodeversion_value_type full_version_value() const
    {
        return observed_.version;
    }
    masstree_beta::last_key<P> permutation() const
    {
        return masstree_beta::last_key<P>();
    }

private:
    masstree_observation_t observed_;
};

namespace scanning {

/** One scan: connects the library's callbacks to the program's scanner. */
template <typename P, typename F>
class MASSTREE_BETA_ABI scan {
public:
    typedef typename P::value_type value_type;
    typedef typename P::threadinfo_type threadinfo;
    typedef key<typename P::ikey_type> key_type;
    typedef masstree_beta::scanned_key<typename P::ikey_type> scanned_key_type;

    scan(Str firstkey, F& scanner, threadinfo& ti)
        : firstkey_(firstkey), scanner_(scanner), ti_(ti), visited_(0)
    {
    }

    int run(const masstree_t* tree, bool matchfirst, bool reverse)
    {
        masstree_range_t range = MASSTREE_RANGE_INIT;
        const uint32_t kind = matchfirst ? MASSTREE_BOUND_INCLUSIVE : MASSTREE_BOUND_EXCLUSIVE;
        const size_t length = masstree_beta::length_of(firstkey_.s, firstkey_.len);
        if (reverse) {
            range.upper = firstkey_.s;
            range.upper_len = length;
            range.upper_bound = kind;
            range.flags = MASSTREE_SCAN_REVERSE;
        } else {
            range.lower = firstkey_.s;
            range.lower_len = length;
            range.lower_bound = kind;
        }
        const int32_t status =
            masstree_scan_observed(tree, nullptr, &range, visit_leaf, visit_value, this, nullptr);
#if MASSTREE_BETA_EXCEPTIONS
        if (unlikely(exception_ != nullptr))
            std::rethrow_exception(exception_);
#endif
        masstree_beta::check("basic_table::scan", status);
        return visited_;
    }

private:
    // Exceptions must not pass through the library: they are rethrown after it has returned.
    template <typename W>
    int32_t guarded(const W& work)
    {
#if MASSTREE_BETA_EXCEPTIONS
        try {
            return work();
        } catch (...) {
            exception_ = std::current_exception();
            return MASSTREE_VISIT_STOP;
        }
#else
        return work();
#endif
    }

    static int32_t visit_leaf(const masstree_observation_t* observed, void* context)
    {
        scan& self = *static_cast<scan*>(context);
        return self.guarded([&self, observed]() -> int32_t {
            const scanstackelt<P> stack(*observed);
            const key_type first(self.firstkey_);
            const masstree_beta::showing showing(*observed);
            self.scanner_.visit_leaf(stack, first, self.ti_);
            return MASSTREE_VISIT_CONTINUE;
        });
    }
    static int32_t visit_value(const void* bytes, size_t length, uint64_t bits, void* context)
    {
        scan& self = *static_cast<scan*>(context);
        return self.guarded([&self, bytes, length, bits]() -> int32_t {
            const scanned_key_type key(
                Str(static_cast<const char*>(bytes), static_cast<int>(length)));
            masstree_beta::word<value_type> word(bits);
            ++self.visited_;
            return self.scanner_.visit_value(key, word.value(), self.ti_)
                       ? MASSTREE_VISIT_CONTINUE
                       : MASSTREE_VISIT_STOP;
        });
    }

    Str firstkey_;
    F& scanner_;
    threadinfo& ti_;
    int visited_;
#if MASSTREE_BETA_EXCEPTIONS
    std::exception_ptr exception_;
#endif
};

} // namespace scanning

template <typename P>
template <typename F>
inline int basic_table<P>::scan(Str firstkey, bool matchfirst, F& scanner, threadinfo& ti) const
{
    return scanning::scan<P, F>(firstkey, scanner, ti).run(tree(), matchfirst, false);
}

template <typename P>
template <typename F>
inline int basic_table<P>::rscan(Str firstkey, bool matchfirst, F& scanner, threadinfo& ti) const
{
    return scanning::scan<P, F>(firstkey, scanner, ti).run(tree(), matchfirst, true);
}

} // namespace Masstree

#endif
