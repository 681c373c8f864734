// Fences, atomic operations and assertions under masstree-beta's names.
#ifndef MASSTREE_BETA_COMPILER_HH
#define MASSTREE_BETA_COMPILER_HH

#include "abi.hh"
#include "config.h"

#pragma GCC visibility push(default)
#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#pragma GCC visibility pop

#pragma GCC visibility push(default)
#include <algorithm>
#include <atomic>
#include <chrono>
#include <type_traits>
#pragma GCC visibility pop

#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#endif
#ifndef unlikely
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

/** Checked in every build: always_assert(condition) or always_assert(condition, "why"). */
#ifndef always_assert
#define always_assert(...) \
    ::masstree_beta::assert_always(__FILE__, __LINE__, #__VA_ARGS__, __VA_ARGS__)
#endif
#ifndef mandatory_assert
#define mandatory_assert(...) always_assert(__VA_ARGS__)
#endif
#ifndef masstree_invariant
#define masstree_invariant(x) assert(x)
#endif
#ifndef masstree_precondition
#define masstree_precondition(x) assert(x)
#endif

namespace masstree_beta {

[[noreturn]] inline void assertion_failed(const char* file, int line, const char* text)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, text);
    abort();
}

template <typename C>
inline void assert_always(const char* file, int line, const char* text, const C& condition)
{
    if (!condition)
        assertion_failed(file, line, text);
}

template <typename C>
inline void assert_always(
    const char* file, int line, const char* text, const C& condition, const char*)
{
    if (!condition)
        assertion_failed(file, line, text);
}

} // namespace masstree_beta

#ifdef MASSTREE_CONFIG_H_INCLUDED
// A config.h that masstree-beta's configure wrote declares these functions and calls them in failed
// assertions, even in files that include no other header: so they are `used`, which emits them in
// every object.
#define MASSTREE_BETA_FAILURE(name) \
    __attribute__((used)) inline void name( \
        const char* file, int line, const char* text, const char* why) \
    { \
        if (why != nullptr) \
            fprintf(stderr, "%s\n", why); \
        ::masstree_beta::assertion_failed(file, line, text); \
    }
MASSTREE_BETA_FAILURE(fail_always_assert)
MASSTREE_BETA_FAILURE(fail_masstree_invariant)
MASSTREE_BETA_FAILURE(fail_masstree_precondition)
#undef MASSTREE_BETA_FAILURE
#endif

// If the program has a copy of masstree-beta's compiler.hh, the first one included defines these.
#ifndef MASSTREE_COMPILER_HH
#define MASSTREE_COMPILER_HH 1

#define arraysize(a) (sizeof(a) / sizeof((a)[0]))

#if defined(__GNUC__) && !defined(__clang__) && defined(__SANITIZE_THREAD__)
// gcc warns of each fence that ThreadSanitizer does not see it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif

/** A full processor fence; masstree-beta's only prevents the compiler from reordering. */
inline MASSTREE_BETA_ABI void fence()
{
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

inline MASSTREE_BETA_ABI void memory_fence()
{
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

inline MASSTREE_BETA_ABI void acquire_fence()
{
    std::atomic_thread_fence(std::memory_order_acquire);
}

inline MASSTREE_BETA_ABI void release_fence()
{
    std::atomic_thread_fence(std::memory_order_release);
}

#if defined(__GNUC__) && !defined(__clang__) && defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic pop
#endif

/** For loops that wait: yields to the other hyperthread, and makes the compiler reload memory. */
inline MASSTREE_BETA_ABI void relax_fence()
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#endif
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

struct MASSTREE_BETA_ABI relax_fence_function {
    void operator()() const
    {
        relax_fence();
    }
};

struct MASSTREE_BETA_ABI do_nothing_function {
    void operator()() const
    {
    }
};

inline MASSTREE_BETA_ABI void prefetch(const void* place)
{
    __builtin_prefetch(place, 0, 3);
}

inline MASSTREE_BETA_ABI void prefetchnta(const void* place)
{
    __builtin_prefetch(place, 0, 0);
}

/**
 * A variable that threads share, accessed with relaxed ordering. It has the size and alignment of a
 * T, and converts from and to it.
 */
template <typename T>
class MASSTREE_BETA_ABI relaxed_atomic {
public:
    constexpr relaxed_atomic() noexcept : value_(T())
    {
    }
    // NOLINTNEXTLINE: implicit, so that `relaxed_atomic<T> x = 1` compiles as for a T.
    constexpr relaxed_atomic(T value) noexcept : value_(value)
    {
    }
    relaxed_atomic(const relaxed_atomic& other) noexcept : value_(other.load())
    {
    }
    relaxed_atomic& operator=(const relaxed_atomic& other) noexcept
    {
        store(other.load());
        return *this;
    }
    relaxed_atomic& operator=(T value) noexcept
    {
        store(value);
        return *this;
    }
    T load() const noexcept
    {
        return value_.load(std::memory_order_relaxed);
    }
    void store(T value) noexcept
    {
        value_.store(value, std::memory_order_relaxed);
    }
    operator T() const noexcept
    {
        return load();
    }
    T operator+=(T addend) noexcept
    {
        return value_.fetch_add(addend, std::memory_order_relaxed) + addend;
    }
    T operator-=(T subtrahend) noexcept
    {
        return value_.fetch_sub(subtrahend, std::memory_order_relaxed) - subtrahend;
    }
    T operator++() noexcept
    {
        return *this += T(1);
    }
    T operator--() noexcept
    {
        return *this -= T(1);
    }
    T operator++(int) noexcept
    {
        return value_.fetch_add(T(1), std::memory_order_relaxed);
    }
    T operator--(int) noexcept
    {
        return value_.fetch_sub(T(1), std::memory_order_relaxed);
    }

private:
    std::atomic<T> value_;
};

// g++ omits the tags of function templates in the global namespace from their symbols: so these are
// in another namespace.
namespace masstree_beta {
// Shown to programs:

/** Adds to *object, and returns its previous value. */
template <typename T, typename D>
inline typename std::remove_volatile<T>::type fetch_and_add(T* object, D addend)
{
    typedef typename std::remove_volatile<T>::type value;
    return __atomic_fetch_add(object, static_cast<value>(addend), __ATOMIC_SEQ_CST);
}

/** Stores `desired` if *object is `expected`; returns its previous value. */
template <typename T, typename E, typename D>
inline typename std::remove_volatile<T>::type cmpxchg(
    T* object, E expected, D desired)
{
    typename std::remove_volatile<T>::type was = expected;
    __atomic_compare_exchange_n(
        object, &was, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return was;
}

/** cmpxchg that returns whether it stored. */
template <typename T, typename E, typename D>
inline bool bool_cmpxchg(T* object, E expected, D desired)
{
    typename std::remove_volatile<T>::type was = expected;
    return __atomic_compare_exchange_n(
        object, &was, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

template <typename T, typename D>
inline typename std::remove_volatile<T>::type xchg(T* object, D desired)
{
    typedef typename std::remove_volatile<T>::type value;
    return __atomic_exchange_n(object, static_cast<value>(desired), __ATOMIC_SEQ_CST);
}

/** The bytes of an integer in network order, so that keys sort numerically. */
template <typename T>
inline T host_to_net_order(T value)
{
    static_assert(std::is_integral<T>::value, "host_to_net_order: for integers");
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    T turned;
    const unsigned char* from = reinterpret_cast<const unsigned char*>(&value);
    unsigned char* to = reinterpret_cast<unsigned char*>(&turned);
    for (size_t i = 0; i != sizeof(T); ++i)
        to[i] = from[sizeof(T) - 1 - i];
    return turned;
#else
    return value;
#endif
}

template <typename T>
inline T net_to_host_order(T value)
{
    return host_to_net_order(value);
}

} // namespace masstree_beta

using masstree_beta::bool_cmpxchg;
using masstree_beta::cmpxchg;
using masstree_beta::fetch_and_add;
using masstree_beta::host_to_net_order;
using masstree_beta::net_to_host_order;
using masstree_beta::xchg;

/** The processor's cycle counter, or the nearest equivalent. */
inline MASSTREE_BETA_ABI uint64_t read_tsc()
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/** Type traits that predate C++11. */
namespace mass {

template <typename T> struct MASSTREE_BETA_ABI type_synonym {
    typedef T type;
};
template <typename T, T V> using integral_constant = std::integral_constant<T, V>;
typedef std::true_type true_type;
typedef std::false_type false_type;
template <bool B, typename T, typename F> using conditional = std::conditional<B, T, F>;
template <typename T> using remove_const = std::remove_const<T>;
template <typename T> using remove_volatile = std::remove_volatile<T>;
template <typename T> using remove_cv = std::remove_cv<T>;
template <typename T> using is_pointer = std::is_pointer<T>;
template <typename T> using is_reference = std::is_reference<T>;
template <typename T> using make_unsigned = std::make_unsigned<T>;
template <typename T> using make_signed = std::make_signed<T>;
template <typename T> using is_trivially_copyable = std::is_trivially_copyable<T>;
template <typename T> using is_trivially_destructible = std::is_trivially_destructible<T>;

/** How to pass a T: by value if it is trivially copyable and at most as large as a pointer. */
template <typename T,
    bool by_reference = (!std::is_reference<T>::value &&
        (!std::is_trivially_copyable<T>::value || sizeof(T) > sizeof(void*)))>
struct MASSTREE_BETA_ABI fast_argument {
    enum : bool { is_reference = by_reference };
    typedef typename std::conditional<by_reference, const T&, T>::type type;
};

} // namespace mass

#endif // MASSTREE_COMPILER_HH

#endif
