// Shared by the other headers: handling of statuses of the C interface.
// masstree-beta has no such file; programs include the others.
#ifndef MASSTREE_BETA_LIBMASSTREE_HH
#define MASSTREE_BETA_LIBMASSTREE_HH

#include "../masstree/occ.h"
#include "compiler.hh"

#pragma GCC visibility push(default)
#include <exception>
#include <limits>
#include <memory>
#include <new>
#pragma GCC visibility pop

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define MASSTREE_BETA_EXCEPTIONS 1
#else
#define MASSTREE_BETA_EXCEPTIONS 0
#endif

namespace masstree_beta {

/** Aborts the program after a misuse that masstree-beta's interface cannot report. */
[[noreturn]] inline void die(const char* what, const char* why)
{
    fprintf(stderr, "masstree_beta: %s: %s\n", what, why);
    abort();
}

[[noreturn]] inline void out_of_memory(const char* what)
{
#if MASSTREE_BETA_EXCEPTIONS
    (void)what;
    throw std::bad_alloc();
#else
    die(what, masstree_strerror(MASSTREE_NOMEM));
#endif
}

/** Handles statuses that are neither MASSTREE_OK nor an expected answer. */
[[noreturn]] inline void failed(const char* what, int32_t status)
{
    if (status == MASSTREE_NOMEM)
        out_of_memory(what);
    die(what, masstree_strerror(status));
}

inline void check(const char* what, int32_t status)
{
    if (unlikely(status != MASSTREE_OK))
        failed(what, status);
}

/** Hides a value from the optimiser. */
template <typename T>
inline T opaque(T value)
{
    __asm__("" : "+r"(value));
    return value;
}

/**
 * The address of an object, or NULL: some programs for masstree-beta, which hardly ever accesses
 * the threadinfo of a look-up, pass `*ti` where ti is NULL. Compilers assume that the address of a
 * reference is never NULL, and remove a comparison with NULL; they cannot see through this
 * function.
 */
template <typename T>
inline T* address_of(T& object)
{
    return opaque(std::addressof(object));
}

/** The length of a key, which is an int in masstree-beta. */
inline size_t length_of(const char* bytes, int length)
{
    if (unlikely(length < 0))
        die("key", "its length is negative");
    if (unlikely(bytes == nullptr && length != 0))
        die("key", "is NULL, and has a length");
    return static_cast<size_t>(length);
}

/**
 * The leaf that is being passed to this thread's scanner. Programs then read the node's version,
 * and mean the version of the keys that follow, which the scan has already read.
 */
inline masstree_observation_t& shown()
{
    static thread_local masstree_observation_t leaf = {0, 0, 0};
    return leaf;
}

/** Sets the leaf that is passed to the scanner, during its own lifetime. */
class showing {
public:
    explicit showing(const masstree_observation_t& leaf) : before_(shown())
    {
        shown() = leaf;
    }
    ~showing()
    {
        shown() = before_;
    }
    showing(const showing&) = delete;
    showing& operator=(const showing&) = delete;

private:
    masstree_observation_t before_;
};

/** The pointer that identifies a node: see Masstree::node_base. */
template <typename N>
inline N* node_of(const masstree_observation_t& observed)
{
    return reinterpret_cast<N*>(static_cast<uintptr_t>(observed.leaf));
}

/** A static assertion for accesses to the inside of nodes. */
template <typename P>
struct no_inside {
    static_assert(sizeof(P) == 0,
        "masstree_beta: nodes have no inside here; see \"Deliberately omitted\" in "
        "include/masstree_beta/README.md");
};

/** The number of entries of a leaf. */
template <typename P>
class permutation {
public:
    explicit permutation(size_t size) : size_(static_cast<int>(size))
    {
    }
    int size() const
    {
        return size_;
    }
    template <typename Q = P>
    int operator[](int) const
    {
        return no_inside<Q>::node();
    }

private:
    int size_;
};

/**
 * For scanners that read the slice of the last key of the leaf passed to them,
 * `ikey0_[permutation()[permutation().size() - 1]]`, to compare keys with their own upper bound
 * only if that slice is not below it. The result is the largest possible slice, which is correct
 * for every leaf: they always compare.
 */
template <typename P>
class last_key {
public:
    /** The number of entries; usable only to name the last one. */
    class count {
    public:
        operator int() const
        {
            return no_inside<P>::node();
        }
    };
    enum class slot { last };

    count size() const
    {
        return count();
    }
    slot operator[](slot last) const
    {
        return last;
    }
    template <typename N>
    slot operator[](N) const
    {
        return no_inside<N>::node();
    }
    friend slot operator-(count, int)
    {
        return slot::last;
    }
};

/** Slices of a leaf, as ikey0_: no object of this class exists, and nothing is read. */
template <typename P>
class slices {
public:
    typename P::ikey_type operator[](typename last_key<P>::slot) const
    {
        return std::numeric_limits<typename P::ikey_type>::max();
    }
    template <typename N>
    typename P::ikey_type operator[](N) const
    {
        return no_inside<N>::node();
    }
};

/** Stores a user's value in a word of the tree. */
template <typename V>
struct word {
    static_assert(std::is_trivially_copyable<V>::value,
        "masstree_beta: value_type must be trivially copyable; store a pointer to it instead");
    static_assert(sizeof(V) <= sizeof(uint64_t),
        "masstree_beta: value_type must not be larger than 8 bytes; store a pointer to it instead");

    explicit word(uint64_t bits = 0)
    {
        memcpy(bytes_, &bits, size);
    }
    V& value()
    {
        return *static_cast<V*>(static_cast<void*>(bytes_));
    }
    const V& value() const
    {
        return *static_cast<const V*>(static_cast<const void*>(bytes_));
    }
    uint64_t bits() const
    {
        uint64_t bits = 0;
        memcpy(&bits, bytes_, size);
        return bits;
    }

private:
    // Not sizeof(V) in a call of memcpy: g++ warns of it if V is uint64_t*.
    enum : size_t { size = sizeof(V) };
    alignas(V) alignas(uint64_t) unsigned char bytes_[sizeof(uint64_t)];
};

} // namespace masstree_beta

#endif
