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

/** Result of an update's callback: the key stays unchanged. */
struct keep_value_t {};
/** Result of an update's callback: the key stays unchanged. */
inline constexpr keep_value_t keep_value{};
/** Result of an update's callback: removes the key, if it exists. */
struct remove_key_t {};
/** Result of an update's callback: removes the key, if it exists. */
inline constexpr remove_key_t remove_key{};

/**
 * The result of an update's callback: a value to set, `keep_value` or `remove_key`. A callback that
 * always sets a value may simply return it.
 */
template <class T> class change {
public:
    /** Sets the key to `value`. */
    change(T value) noexcept : answer_(MASSTREE_ACTION_SET), value_(std::move(value)) {}
    /** Leaves the key unchanged. */
    change(keep_value_t) noexcept : answer_(MASSTREE_ACTION_KEEP) {}
    /** Removes the key, if it exists. */
    change(remove_key_t) noexcept : answer_(MASSTREE_ACTION_REMOVE) {}

    /** Used by the library: the MASSTREE_ACTION_ constant. */
    [[nodiscard]] std::int32_t answer() const noexcept { return answer_; }
    /** Used by the library: the value to set. */
    [[nodiscard]] T &value() noexcept { return *value_; }

private:
    std::int32_t answer_;
    std::optional<T> value_;
};

/** The value of a key, and whether this call inserted it. */
template <class V> struct insertion {
    /** The value of the key. */
    V value;
    /** Whether the key was absent, and this call inserted it. */
    bool inserted;
};

/** The outcome of a conditional operation. */
enum class outcome : std::int32_t {
    /** The value was the expected one, and was exchanged or removed. */
    done = MASSTREE_OK,
    /** The key is not in the tree; nothing was changed. */
    not_found = MASSTREE_NOT_FOUND,
    /** The key has another value; nothing was changed. */
    mismatch = MASSTREE_MISMATCH
};

/** The result of compare_exchange and remove_if_equal. */
template <class V> struct comparison {
    /** The outcome; not_found after an error. */
    masstree::outcome outcome = outcome::not_found;
    /** The value that the key has, only after a mismatch. */
    std::optional<V> actual{};
    /** Whether the value was the expected one. */
    [[nodiscard]] explicit operator bool() const noexcept { return outcome == outcome::done; }
};

/** Their result without the value that the key has. */
template <> struct comparison<void> {
    /** The outcome; not_found after an error. */
    masstree::outcome outcome = outcome::not_found;
    /** Whether the value was the expected one. */
    [[nodiscard]] explicit operator bool() const noexcept { return outcome == outcome::done; }
};

/** The result of longest_prefix. */
template <class V> struct prefix_match {
    /** The length of the key that was found: it is that much of the key that was passed. */
    std::size_t length;
    /** Its value. */
    V value;
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
                  "a tree holds trivially copyable values of at most 8 bytes, or "
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

/** Pointers: the tree owns the objects. */
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

/** Whether any thread can construct the deleter itself. */
template <class D>
inline constexpr bool is_stateless_v = std::is_empty_v<D> && std::is_default_constructible_v<D>;

/** Calls the deleter at `ctx`, or constructs one if it has no state. */
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

/** The deleter of a tree, at an address that does not change when the tree is moved. */
template <class T> struct deleter_of {
    /** Words have no deleter. */
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
 * A pointer taken out of a tree that owned its object. Other threads may still read the object,
 * under guards that they hold now: so the destructor retires it (masstree_retire), and the tree
 * destroys it once no thread can read it any more. If memory runs out for that, it is leaked.
 *
 * Movable; destroyed before its tree. Used by one thread at a time.
 */
template <class E, class D> class [[nodiscard]] taken {
public:
    /** The type of the pointer. */
    using pointer = typename std::unique_ptr<E, D>::pointer;

    /** Used by the library. */
    taken(masstree_t *tree, pointer object, void *deleter) noexcept
        : tree_(tree), object_(object), deleter_(deleter)
    {
    }
    /** Moves from `other`, which is empty afterwards. */
    taken(taken &&other) noexcept
        : tree_(other.tree_), object_(other.release()), deleter_(other.deleter_)
    {
    }
    /** Retires this object's pointer, and moves from `other`. */
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

    /** The pointer; this object keeps owning it. */
    [[nodiscard]] pointer get() const noexcept { return object_; }
    /** The object. */
    [[nodiscard]] std::add_lvalue_reference_t<E> operator*() const noexcept { return *object_; }
    /** Accesses members of the object. */
    pointer operator->() const noexcept { return object_; }
    /** Releases ownership: destroy the object when no thread can read it any more. */
    [[nodiscard]] pointer release() noexcept { return std::exchange(object_, nullptr); }

private:
    masstree_t *tree_;
    pointer object_;
    void *deleter_;
};

namespace detail {

/** The type in which a tree returns values that left it. */
template <class T> struct taken_of {
    using type = T;
};
template <class E, class D> struct taken_of<std::unique_ptr<E, D>> {
    using type = taken<E, D>;
};

/** Converts statuses and words of the C interface to the results of a tree's functions. */
template <class T> struct word_results {
    using traits = value_traits<T>;
    using argument = typename traits::argument;
    using view_type = typename traits::view;
    using comparison_type = comparison<std::conditional_t<traits::owned, void, T>>;

    static void accept_if(bool accepted, std::remove_reference_t<argument> &value) noexcept
    {
        if (accepted)
            traits::accept(value);
    }

    /** Whether the key of a replace or exchange existed, with an equal value or another one. */
    static bool was_there(std::int32_t status) noexcept
    {
        return status == MASSTREE_OK || status == MASSTREE_EXISTS;
    }

    static std::optional<view_type> view_if(bool found, std::uint64_t word) noexcept
    {
        if (!found)
            return std::nullopt;
        return traits::from_word(word);
    }

    static std::optional<insertion<view_type>> insertion_of(std::int32_t status, std::uint64_t word,
                                                            const context &with)
    {
        with.note(status);
        return insertion_if(status, word);
    }

    static std::optional<insertion<view_type>> insertion_if(std::int32_t status,
                                                            std::uint64_t word) noexcept
    {
        if (status < 0)
            return std::nullopt;
        return insertion<view_type>{traits::from_word(word), status == MASSTREE_OK};
    }

    static std::uint64_t comparable(const view_type &expected) noexcept
    {
        static_assert(std::has_unique_object_representations_v<view_type> ||
                          std::is_floating_point_v<view_type>,
                      "values with padding cannot be compared bit by bit");
        return traits::to_word(expected);
    }

    static comparison_type comparison_of(std::int32_t status, std::uint64_t actual,
                                         const context &with)
    {
        with.note(status);
        comparison_type result;
        if (status < 0)
            return result;
        result.outcome = static_cast<outcome>(status);
        if constexpr (!traits::owned) {
            if (status == MASSTREE_MISMATCH)
                result.actual = traits::from_word(actual);
        }
        return result;
    }
};

} // namespace detail

} // namespace masstree

#endif
