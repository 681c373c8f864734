// A string that does not own its bytes, in which keys are passed.
#ifndef MASSTREE_BETA_STR_HH
#define MASSTREE_BETA_STR_HH

#include "compiler.hh"

#pragma GCC visibility push(default)
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#pragma GCC visibility pop

#pragma GCC visibility push(default)
#include <functional>
#include <iostream>
#include <string>
#include <utility>
#pragma GCC visibility pop

namespace lcdf {

/** A slice of bytes, which must stay valid as long as the Str is used. */
struct Str {
    typedef Str substring_type;

    const char* s;
    int len;

    Str() : s(nullptr), len(0)
    {
    }
    Str(const char* text) : s(text), len(static_cast<int>(strlen(text)))
    {
    }
    Str(const char* bytes, int length) : s(bytes), len(length)
    {
    }
    Str(const unsigned char* bytes, int length)
        : s(reinterpret_cast<const char*>(bytes)), len(length)
    {
    }
    Str(const char* first, const char* last) : s(first), len(static_cast<int>(last - first))
    {
    }
    Str(const unsigned char* first, const unsigned char* last)
        : s(reinterpret_cast<const char*>(first)), len(static_cast<int>(last - first))
    {
    }
    Str(const std::string& text) : s(text.data()), len(static_cast<int>(text.length()))
    {
    }
    static Str make_string(const char* bytes, int length)
    {
        return Str(bytes, length);
    }

    void assign(const char* bytes, int length)
    {
        s = bytes;
        len = length;
    }

    const char* data() const
    {
        return s;
    }
    const unsigned char* udata() const
    {
        return reinterpret_cast<const unsigned char*>(s);
    }
    char* mutable_data() const
    {
        return const_cast<char*>(s);
    }
    int length() const
    {
        return len;
    }
    int size() const
    {
        return len;
    }
    const char* begin() const
    {
        return s;
    }
    const char* end() const
    {
        return len == 0 ? s : s + len;
    }
    bool empty() const
    {
        return len == 0;
    }
    /** Whether there are any bytes. */
    explicit operator bool() const
    {
        return len != 0;
    }
    char operator[](int i) const
    {
        return s[i];
    }
    char front() const
    {
        return s[0];
    }
    char back() const
    {
        return s[len - 1];
    }
    operator std::string() const
    {
        return len == 0 ? std::string() : std::string(s, static_cast<size_t>(len));
    }

    Str prefix(int length) const
    {
        return Str(s, length < len ? length : len);
    }
    Str substr(int first) const
    {
        return first < len ? Str(s + first, len - first) : Str();
    }
    Str substr(int first, int length) const
    {
        return substr(first).prefix(length);
    }

    int compare(Str other) const
    {
        return compare(s, len, other.s, other.len);
    }
    static int compare(Str a, Str b)
    {
        return a.compare(b);
    }
    static int compare(const char* a, int a_length, const char* b, int b_length)
    {
        const int common = a_length < b_length ? a_length : b_length;
        const int order = common > 0 ? memcmp(a, b, static_cast<size_t>(common)) : 0;
        return order != 0 ? order : a_length - b_length;
    }
    bool equals(Str other) const
    {
        return compare(other) == 0;
    }
    bool starts_with(Str start) const
    {
        return start.len <= len && prefix(start.len).equals(start);
    }
    int find_left(char wanted, int from = 0) const
    {
        for (int i = from; i < len; ++i)
            if (s[i] == wanted)
                return i;
        return -1;
    }

    friend bool operator==(const Str& a, const Str& b)
    {
        return a.len == b.len && a.compare(b) == 0;
    }
    friend bool operator!=(const Str& a, const Str& b)
    {
        return !(a == b);
    }
    friend bool operator<(const Str& a, const Str& b)
    {
        return a.compare(b) < 0;
    }
    friend bool operator<=(const Str& a, const Str& b)
    {
        return a.compare(b) <= 0;
    }
    friend bool operator>(const Str& a, const Str& b)
    {
        return a.compare(b) > 0;
    }
    friend bool operator>=(const Str& a, const Str& b)
    {
        return a.compare(b) >= 0;
    }
    friend std::ostream& operator<<(std::ostream& out, const Str& text)
    {
        return out.write(text.s, text.len);
    }
};

} // namespace lcdf

#endif
