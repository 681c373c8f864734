/**
 * @file
 * Values of the C++ interface of libmasstree: words, and pointers that a tree owns. Part of
 * masstree.hpp.
 */
#ifndef MASSTREE_VALUE_HPP
#define MASSTREE_VALUE_HPP

#pragma GCC visibility push(default)
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#pragma GCC visibility pop

#include "guard.hpp"

namespace masstree {

/** Answer of an update's callback: leave the key as it is. */
struct keep_value_t {};
/** Answer of an update's callback: leave the key as it is. */
inline constexpr keep_value_t keep_value{};
/** Answer of an update's callback: remove the key, if it is there. */
struct remove_key_t {};
/** Answer of an update's callback: remove the key, if it is there. */
inline constexpr remove_key_t remove_key{};

/**
 * What the callback of an update answers: a value that the key gets, `keep_value` or `remove_key`.
 * A callback that always gives a value may simply return it.
 */
template <class T> class change {
public:
    /** The key gets `value`. */
    change(T value) noexcept : answer_(MASSTREE_ACTION_SET), value_(std::move(value)) {}
    /** Nothing changes. */
    change(keep_value_t) noexcept : answer_(MASSTREE_ACTION_KEEP) {}
    /** The key goes, if it is there. */
    change(remove_key_t) noexcept : answer_(MASSTREE_ACTION_REMOVE) {}

    /** Used by the library: the answer as the C interface has it. */
    [[nodiscard]] std::int32_t answer() const noexcept { return answer_; }
    /** Used by the library: the value of an answer that has one. */
    [[nodiscard]] T &value() noexcept { return *value_; }

private:
    std::int32_t answer_;
    std::optional<T> value_;
};

/** The value under a key, and whether this very call stored it. */
template <class V> struct insertion {
    /** The value under the key. */
    V value;
    /** Whether the key was absent, and was stored by this call. */
    bool inserted;
};

/** How a conditional operation ended. */
enum class outcome : std::int32_t {
    /** The value was the expected one: it was exchanged, or removed. */
    done = MASSTREE_OK,
    /** The key is not in the tree; nothing was changed. */
    not_found = MASSTREE_NOT_FOUND,
    /** The key has another value; nothing was changed. */
    mismatch = MASSTREE_MISMATCH
};

/** What compare_exchange and remove_if_equal found. */
template <class V> struct comparison {
    /** How it ended. After an error it is not_found. */
    masstree::outcome outcome = outcome::not_found;
    /** The value that the key had, if it was there. */
    std::optional<V> actual{};
    /** Whether the value was the expected one. */
    [[nodiscard]] explicit operator bool() const noexcept { return outcome == outcome::done; }
};

/** What they answer where the value that the key had is not wanted. */
template <> struct comparison<void> {
    /** How it ended. After an error it is not_found. */
    masstree::outcome outcome = outcome::not_found;
    /** Whether the value was the expected one. */
    [[nodiscard]] explicit operator bool() const noexcept { return outcome == outcome::done; }
};

namespace detail {

/** The low bits of a word. A plain cast is a useless one where types have the same size. */
template <class T> constexpr T cut(std::uint64_t word) noexcept
{
    return static_cast<T>(word);
}

/** Words: T as it is. */
template <class T> struct value_traits {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8,
                  "a tree holds values of at most 8 bytes that may be copied byte by byte, or "
                  "std::unique_ptr; see bytes_tree for strings");
    static constexpr bool owned = false;
    using argument = T;
    using view = T;

    static std::uint64_t to_word(const T &value) noexcept
    {
        std::uint64_t word = 0;
        std::memcpy(&word, &value, sizeof value);
        return word;
    }

    static T from_word(std::uint64_t word) noexcept
    {
        // T need not have a default constructor.
        alignas(T) unsigned char bytes[sizeof(T)];
        std::memcpy(bytes, &word, sizeof bytes);
        return *std::launder(reinterpret_cast<T *>(bytes));
    }

    static void accept(const T &) noexcept {}
};

/** Pointers: the tree owns what they point to. */
template <class E, class D> struct value_traits<std::unique_ptr<E, D>> {
    using owner = std::unique_ptr<E, D>;
    using pointer = typename owner::pointer;
    static_assert(std::is_pointer_v<pointer>, "a plain pointer");
    static_assert(!std::is_reference_v<D>, "the tree keeps a deleter of its own");
    static constexpr bool owned = true;
    using argument = owner &&;
    using view = pointer;

    static std::uint64_t to_word(const owner &value) noexcept { return to_word(value.get()); }
    static std::uint64_t to_word(std::remove_cv_t<pointer> value) noexcept
    {
        return reinterpret_cast<std::uintptr_t>(value);
    }
    static pointer from_word(std::uint64_t word) noexcept
    {
        return reinterpret_cast<pointer>(cut<std::uintptr_t>(word));
    }
    static void accept(owner &value) noexcept { static_cast<void>(value.release()); }
};

/** A deleter that every thread can make for itself. */
template <class D>
inline constexpr bool is_stateless_v = std::is_empty_v<D> && std::is_default_constructible_v<D>;

/** Calls the deleter at `ctx`, or one of its own if it has no state. */
template <class D, class P> void destroy(P pointer, void *ctx) noexcept
{
    if (pointer == nullptr)
        return;
    if constexpr (is_stateless_v<D>)
        D{}(pointer);
    else
        (*static_cast<D *>(ctx))(pointer);
}

template <class E, class D> void destroy_value(std::uint64_t word, void *ctx) noexcept
{
    destroy<D>(value_traits<std::unique_ptr<E, D>>::from_word(word), ctx);
}

template <class E, class D> void destroy_object(void *object, std::size_t, void *ctx) noexcept
{
    destroy<D>(static_cast<typename std::unique_ptr<E, D>::pointer>(object), ctx);
}

/** The deleter of a tree, at a place that stays when the tree is moved. */
template <class T> struct deleter_of {
    /** Words have none. */
    struct type {};
    static constexpr masstree_value_destructor_t destructor = nullptr;
    deleter_of(type) noexcept {}
    explicit operator bool() const noexcept { return true; }
    void *state() const noexcept { return nullptr; }
};

template <class E, class D> struct deleter_of<std::unique_ptr<E, D>> {
    using type = D;
    static constexpr masstree_value_destructor_t destructor = destroy_value<E, D>;
    explicit deleter_of(D deleter)
    {
        if constexpr (!is_stateless_v<D>)
            state_.reset(new (std::nothrow) D(std::move(deleter)));
    }
    explicit operator bool() const noexcept { return is_stateless_v<D> || state_ != nullptr; }
    void *state() const noexcept { return state_.get(); }

private:
    std::unique_ptr<D> state_;
};

template <class P> void *untyped(P pointer) noexcept
{
    return const_cast<void *>(static_cast<const volatile void *>(pointer));
}

} // namespace detail

/**
 * A pointer taken out of a tree that owned it. Other threads may still read what it points to,
 * under guards they hold now: so the destructor hands it to the tree, which destroys it once nobody
 * can (masstree_retire). Should memory run out for that, it is never destroyed.
 *
 * Movable; it must be gone before its tree. Used by one thread at a time.
 */
template <class E, class D> class [[nodiscard]] taken {
public:
    /** The type of the pointer. */
    using pointer = typename std::unique_ptr<E, D>::pointer;

    /** Made by the library. */
    taken(masstree_t *tree, pointer object, void *deleter) noexcept
        : tree_(tree), object_(object), deleter_(deleter)
    {
    }
    /** Takes over from `other`, which has nothing then. */
    taken(taken &&other) noexcept
        : tree_(other.tree_), object_(other.release()), deleter_(other.deleter_)
    {
    }
    /** Lets go of what it has, and takes over from `other`. */
    taken &operator=(taken &&other) noexcept
    {
        taken old(std::move(*this));
        tree_ = other.tree_;
        object_ = other.release();
        deleter_ = other.deleter_;
        return *this;
    }
    ~taken()
    {
        if (object_ != nullptr)
            masstree_retire(tree_, nullptr, detail::untyped(object_), 0,
                            detail::destroy_object<E, D>, deleter_);
    }

    /** The pointer; stays this object's. */
    [[nodiscard]] pointer get() const noexcept { return object_; }
    /** What it points to. */
    [[nodiscard]] std::add_lvalue_reference_t<E> operator*() const noexcept { return *object_; }
    /** Its members. */
    pointer operator->() const noexcept { return object_; }
    /** Gives the pointer away: destroy it when no thread can read it any more. */
    [[nodiscard]] pointer release() noexcept { return std::exchange(object_, nullptr); }

private:
    masstree_t *tree_;
    pointer object_;
    void *deleter_;
};

namespace detail {

/** What a tree gives of a value that left it. */
template <class T> struct taken_of {
    using type = T;
};
template <class E, class D> struct taken_of<std::unique_ptr<E, D>> {
    using type = taken<E, D>;
};

} // namespace detail

} // namespace masstree

#endif
