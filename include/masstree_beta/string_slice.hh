// Eight bytes of a key as an integer with the same order.
#ifndef MASSTREE_BETA_STRING_SLICE_HH
#define MASSTREE_BETA_STRING_SLICE_HH

#include "compiler.hh"
#include "str.hh"

template <typename T>
struct MASSTREE_BETA_ABI string_slice {
    enum { size = static_cast<int>(sizeof(T)) };

    /** Converts the first bytes of s, padded with zeros. */
    static T make_comparable(const char* s, int len)
    {
        T slice = 0;
        memcpy(&slice, s, static_cast<size_t>(len < 0 ? 0 : len < size ? len : size));
        return net_to_host_order(slice);
    }
    /** Copies the bytes of the slice to buf; returns their number without trailing zeros. */
    static int unparse_comparable(char* buf, int buflen, T slice)
    {
        return unparse_comparable(buf, buflen, slice, size);
    }
    static int unparse_comparable(char* buf, int buflen, T slice, int len)
    {
        T bytes = host_to_net_order(slice);
        char all[sizeof(T)];
        memcpy(all, &bytes, sizeof(T));
        int used = len < size ? len : static_cast<int>(size);
        while (used > 0 && all[used - 1] == 0)
            --used;
        if (used > buflen)
            used = buflen;
        if (used > 0)
            memcpy(buf, all, static_cast<size_t>(used));
        return used;
    }
};

#endif
