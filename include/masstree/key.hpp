/**
 * @file
 * Keys of the C++ interface of libmasstree: byte strings and integers. Part of masstree.hpp.
 */
#ifndef MASSTREE_KEY_HPP
#define MASSTREE_KEY_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#pragma GCC visibility pop

#include "occ.h"

namespace masstree {

/** Whether K is an integer type for keys: at most 8 bytes, not bool. */
template <class K>
inline constexpr bool is_integer_key =
    std::is_integral_v<K> && !std::is_same_v<K, bool> && sizeof(K) <= 8;

/**
 * The 8 bytes under which a tree keyed by integers stores a key: the integer widened to 64 bits,
 * most significant byte first, with the sign bit inverted if K is signed. So the order of the
 * bytes is numeric order. For composite keys in a tree keyed by bytes:
 *
 *     std::string key = user;
 *     key += masstree::integer_key<std::int64_t>(when).view();
 *
 * Signed and unsigned integers have different bytes: 5 and 5u are two keys.
 */
template <class K> class integer_key {
    static_assert(is_integer_key<K>, "an integer of at most 8 bytes");

public:
    /** The bytes of `key`. */
    constexpr explicit integer_key(K key) noexcept
    {
        std::uint64_t word = to_word(key);
        for (std::size_t i = 8; i-- > 0; word >>= 8)
            bytes_[i] = static_cast<char>(static_cast<unsigned char>(word & 0xff));
    }

    /** The 8 bytes, valid during the lifetime of this object. */
    [[nodiscard]] constexpr std::string_view view() const & noexcept { return {bytes_, 8}; }
    /**
     * A temporary returns itself, since a view would outlive it; it converts to std::string_view.
     */
    [[nodiscard]] constexpr integer_key view() const && noexcept { return *this; }
    /** The 8 bytes, valid during the lifetime of this object. */
    constexpr operator std::string_view() const noexcept { return {bytes_, 8}; }

    /** The integer that the 8 bytes at `bytes` encode. */
    [[nodiscard]] static K decode(const void *bytes) noexcept
    {
        std::uint64_t word;
        std::memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        return from_word(word);
    }

    /** This key as the _u64 functions of the C interface take it. */
    [[nodiscard]] static constexpr std::uint64_t to_word(K key) noexcept
    {
        if constexpr (std::is_signed_v<K>)
            return static_cast<std::uint64_t>(static_cast<std::int64_t>(key)) ^ sign;
        else
            return key;
    }

    /** Inverts to_word. */
    [[nodiscard]] static constexpr K from_word(std::uint64_t word) noexcept
    {
        if constexpr (std::is_signed_v<K>)
            return static_cast<K>(static_cast<std::int64_t>(word ^ sign));
        else
            return static_cast<K>(word);
    }

private:
    static constexpr std::uint64_t sign = std::uint64_t{1} << 63;
    char bytes_[8] = {};
};

namespace detail {

/** Converts keys to and from the C interface. */
template <class K> struct key_traits {
    static_assert(is_integer_key<K>, "keys are std::string_view or integers of at most 8 bytes");
    static constexpr bool is_integer = true;
    using bytes = integer_key<K>;
    static K from_slice(const void *data, std::size_t len) noexcept
    {
        if (len == 8)
            return bytes::decode(data);
        // Pivots may be of any length, and C code that shares the tree may store such keys.
        unsigned char whole[8] = {};
        std::memcpy(whole, data, len < 8 ? len : 8);
        return bytes::decode(whole);
    }
};

template <> struct key_traits<std::string_view> {
    static constexpr bool is_integer = false;
    class bytes {
    public:
        explicit bytes(std::string_view key) noexcept : key_(key) {}
        std::string_view view() const noexcept { return key_; }

    private:
        std::string_view key_;
    };
    static std::string_view from_slice(const void *data, std::size_t len) noexcept
    {
        return {static_cast<const char *>(data), len};
    }
};

/** A key that owns its bytes. */
template <class K>
using owned_key = std::conditional_t<key_traits<K>::is_integer, K, std::string>;

/** Whether a T owns the bytes to which it converts as std::string_view. */
template <class T>
inline constexpr bool owns_bytes = !std::is_scalar_v<T> &&
                                   !std::is_base_of_v<std::string_view, T> &&
                                   std::is_convertible_v<T &, std::string_view>;

/**
 * Matches arguments `A &&` that are temporaries, or moved from, for functions that keep a key of
 * type K: the bytes would not exist any more when the key is used.
 */
template <class K, class A>
using if_temporary = std::enable_if_t<!key_traits<K>::is_integer && !std::is_reference_v<A> &&
                                      owns_bytes<A>>;

inline masstree_slice_t slice_of(std::string_view bytes) noexcept
{
    return {bytes.data(), bytes.size()};
}

inline std::string_view view_of(masstree_slice_t slice) noexcept
{
    return {static_cast<const char *>(slice.data), slice.len};
}

inline std::optional<std::string_view> view_if(bool there, masstree_slice_t slice) noexcept
{
    if (!there)
        return std::nullopt;
    return view_of(slice);
}

} // namespace detail

} // namespace masstree

#endif
