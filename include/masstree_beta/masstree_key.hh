// Keys as scanners and printers get them.
#ifndef MASSTREE_BETA_MASSTREE_KEY_HH
#define MASSTREE_BETA_MASSTREE_KEY_HH

#include "libmasstree.hh"
#include "str.hh"
#include "string_slice.hh"

namespace Masstree {

using lcdf::Str;

/**
 * A key of any length, as one of the first layer: its slice is its first eight bytes, the rest is
 * its suffix, whatever layer of the tree it ends in. It does not own its bytes.
 */
template <typename I>
class key {
public:
    typedef I ikey_type;
    enum { ikey_size = static_cast<int>(sizeof(I)) };

    key()
    {
    }
    explicit key(Str text) : full_(text)
    {
    }
    key(const char* bytes, int length) : full_(bytes, length)
    {
    }

    /** The first eight bytes as an integer with the same order. */
    ikey_type ikey() const
    {
        return string_slice<ikey_type>::make_comparable(full_.s, full_.len);
    }
    Str full_string() const
    {
        return full_;
    }
    operator Str() const
    {
        return full_;
    }
    int length() const
    {
        return full_.len;
    }
    bool empty() const
    {
        return full_.empty();
    }
    /** Bytes in layers above: none. (With a constant 0, g++ would warn of a program's memcmp.) */
    int prefix_length() const
    {
        return masstree_beta::opaque(0);
    }
    Str prefix_string() const
    {
        return full_.prefix(0);
    }
    bool has_suffix() const
    {
        return full_.len > ikey_size;
    }
    Str suffix() const
    {
        return full_.substr(ikey_size);
    }
    int suffix_length() const
    {
        return has_suffix() ? full_.len - ikey_size : 0;
    }
    int compare(const key& other) const
    {
        return full_.compare(other.full_);
    }
    /** Copies its bytes to buf; returns their number, or buflen if there are more. */
    int unparse(char* buf, int buflen) const
    {
        const int length = full_.len < buflen ? full_.len : buflen;
        if (length > 0)
            memcpy(buf, full_.s, static_cast<size_t>(length));
        return length;
    }

private:
    Str full_;
};

} // namespace Masstree

namespace masstree_beta {

/** The key for visit_value: a Str, or for scanners of the older kind, a Masstree::key. */
template <typename I>
class scanned_key : public lcdf::Str {
public:
    explicit scanned_key(lcdf::Str text) : lcdf::Str(text)
    {
    }
    operator Masstree::key<I>() const
    {
        return Masstree::key<I>(static_cast<const lcdf::Str&>(*this));
    }
    I ikey() const
    {
        return Masstree::key<I>(*this).ikey();
    }
    lcdf::Str full_string() const
    {
        return *this;
    }
    int prefix_length() const
    {
        return opaque(0);
    }
};

} // namespace masstree_beta

#endif
