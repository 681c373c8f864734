// What the other headers have in common: what they do with statuses of the C interface.
// masstree-beta has no such file; programs include the others.
#ifndef MASSTREE_BETA_LIBMASSTREE_HH
#define MASSTREE_BETA_LIBMASSTREE_HH

#include "../masstree/occ.h"
#include "compiler.hh"

#include <exception>
#include <limits>
#include <memory>
#include <new>

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define MASSTREE_BETA_EXCEPTIONS 1
#else
#define MASSTREE_BETA_EXCEPTIONS 0
#endif

namespace masstree_beta {

/** Ends the program: it did something that has no answer in masstree-beta's interface. */
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

/** For statuses that are neither MASSTREE_OK nor an answer that was asked for. */
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

/** A value that the compiler cannot foretell. */
template <typename T>
inline T opaque(T value)
{
    __asm__("" : "+r"(value));
    return value;
}

/**
 * The address of an object, or NULL: programs that were written for masstree-beta, which touches
 * the threadinfo of a look-up hardly ever, pass `*ti` where ti is NULL. Compilers take it that the
 * address of a reference is never NULL, and leave out a comparison with it; this one they
 * cannot see through.
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
 * The leaf that this thread's scanner is shown at present. Programs ask the node for its version
 * then, and mean the version of the keys that follow, which the scan has read already.
 */
inline masstree_observation_t& shown()
{
    static thread_local masstree_observation_t leaf = {0, 0, 0};
    return leaf;
}

/** Shows a leaf, for as long as it lives. */
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

/** The pointer that stands for a node: see Masstree::node_base. */
template <typename N>
inline N* node_of(const masstree_observation_t& observed)
{
    return reinterpret_cast<N*>(static_cast<uintptr_t>(observed.leaf));
}

/** Says so, where a program asks for what is inside nodes. */
template <typename P>
struct no_inside {
    static_assert(sizeof(P) == 0,
        "masstree_beta: nodes have no inside here; see \"Deliberately omitted\" in "
        "include/masstree_beta/README.md");
};

/** How many entries a leaf has. */
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
 * What scanners ask of the leaf that they are shown: `ikey0_[permutation()[permutation().size() - 1]]`,
 * the slice of its last key, to compare keys with their own upper bound only if that is not above it.
 * The answer is the largest slice there is, which is right for every leaf: they always compare.
 */
template <typename P>
class last_key {
public:
    /** The number of entries, which is good for naming the last one only. */
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

/** Slices of a leaf, as ikey0_: there are no objects of this class, and nothing is read. */
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

/** A user's value in one of the tree's words. */
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
    // Not sizeof(V) in a call of memcpy: where V is uint64_t*, g++ takes it for a mistake.
    enum : size_t { size = sizeof(V) };
    alignas(V) alignas(uint64_t) unsigned char bytes_[sizeof(uint64_t)];
};

} // namespace masstree_beta

#endif
