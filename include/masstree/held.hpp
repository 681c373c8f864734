/**
 * @file
 * Held keys: reading a key, doing something else, and then changing it, in the C++ interface of
 * libmasstree. Part of masstree.hpp.
 */
#ifndef MASSTREE_HELD_HPP
#define MASSTREE_HELD_HPP

#pragma GCC visibility push(default)
#include <cstdint>
#include <optional>
#include <string_view>
#pragma GCC visibility pop

#include "observation.hpp"
#include "value.hpp"

namespace masstree {

/** Whether `hold` makes room for an absent key. */
enum class room : std::uint32_t {
    /** No room: an absent key cannot be set. */
    none = 0,
    /** Room, so that setting the key cannot fail. */
    to_insert = MASSTREE_HOLD_INSERT
};

/** What `hold` does if it cannot hold the key at once. */
enum class waiting : std::uint32_t {
    /** Waits, and makes room. */
    allowed = 0,
    /** Holds nothing: the result is empty, and `busy` returns true. */
    none = MASSTREE_HOLD_TRY
};

/** How a held key is finished. */
enum class action : std::int32_t {
    /** The key stays unchanged. */
    keep = MASSTREE_ACTION_KEEP,
    /** The key gets a value, whether it exists or not. */
    set = MASSTREE_ACTION_SET,
    /** The key is removed, if it exists. */
    remove = MASSTREE_ACTION_REMOVE
};

/**
 * A key whose leaf is locked, until `keep`, `set`, `exchange`, `remove` or `take` unlocks it; the
 * destructor keeps. `tree.hold(key, guard)` makes one:
 *
 *     auto stock = tree.hold("pear", guard);
 *     if (stock.value() > 3 && is_paid())
 *         stock.set(*stock.value() - 3);
 *
 * Meanwhile other threads can read the leaf (up to 15 keys), and its writers wait. So the thread
 * must not write to the tree, hold another key, refresh or leave the guard, or run long operations;
 * it should read under the guard. `tree.update` does the same with a callback, and cannot be
 * forgotten.
 *
 * If another thread clears the tree meanwhile, finishing changes nothing, and `cleared` returns
 * true.
 *
 * Not movable, used by the thread that made it, and destroyed before its guard. The bytes of a key
 * that is no integer must stay valid until then. It is empty after it has finished, and if `hold`
 * failed with an error that an std::error_code received.
 */
template <class T, class K> class [[nodiscard]] held {
    using traits = detail::value_traits<T>;
    using argument = typename traits::argument;

public:
    /** The type in which values are read: T, or the plain pointer. */
    using view_type = typename traits::view;
    /** The type of values taken out of the tree: T, or `taken`. */
    using taken_type = typename detail::taken_of<T>::type;

    /** Made by tree::hold. */
    held(masstree_t *tree, K key, void *deleter, room wanted, const guarded &with,
         waiting wait = waiting::allowed)
        : tree_(tree), deleter_(deleter), with_(with), key_(key)
    {
        const std::string_view bytes = key_.view();
        std::uint64_t word = 0;
        const std::int32_t status =
            masstree_hold(tree, with_.handle(), bytes.data(), bytes.size(),
                          static_cast<std::uint32_t>(wanted) | static_cast<std::uint32_t>(wait),
                          &place_, &word);
        busy_ = status == MASSTREE_BUSY;
        holds_ = status >= 0 && !busy_;
        if (status == MASSTREE_OK)
            value_ = traits::from_word(word);
        with_.note(status);
    }
    /** Not movable: the library keeps its address. */
    held(const held &) = delete;
    /** Not movable: the library keeps its address. */
    held &operator=(const held &) = delete;
    ~held()
    {
        if (holds_)
            masstree_held_finish(&place_, MASSTREE_ACTION_KEEP, 0, nullptr);
    }

    /** Whether it is not empty. */
    [[nodiscard]] explicit operator bool() const noexcept { return holds_; }

    /** Whether it is empty because the key could not be held at once: see tree::try_hold. */
    [[nodiscard]] bool busy() const noexcept { return busy_; }

    /** The value of the key when it was held; none if it was absent. */
    [[nodiscard]] const std::optional<view_type> &value() const noexcept { return value_; }

    /**
     * The leaf in which the key belonged when it was found, before room was made. This, `now` and
     * `next` may be called after it has finished, too.
     */
    [[nodiscard]] observation original() const
    {
        observation leaf{};
        with_.note(masstree_held_observation(&place_, &leaf, nullptr));
        return leaf;
    }
    /** The locked leaf, as readers see it. */
    [[nodiscard]] observation now() const
    {
        observation leaf{};
        with_.note(masstree_held_observation(&place_, nullptr, &leaf));
        return leaf;
    }
    /**
     * The locked leaf as it will be after an action, unless the action empties it; after it has
     * finished, as that left it.
     */
    [[nodiscard]] observation next(action what) const
    {
        observation leaf{};
        with_.note(masstree_held_next(&place_, static_cast<std::int32_t>(what), &leaf));
        return leaf;
    }

    /**
     * Whether the tree was cleared after `hold`, so that finishing changed nothing. The caller then
     * still owns a value that was to be set.
     */
    [[nodiscard]] bool cleared() const noexcept { return cleared_; }

    /** Unlocks the leaf without a change. Returns false if the tree was cleared meanwhile. */
    bool keep() { return finish(MASSTREE_ACTION_KEEP, 0, nullptr); }

    /**
     * Sets the key's value, and unlocks the leaf. An absent key must have been held with room.
     * Returns false if the tree was cleared meanwhile.
     */
    bool set(argument value)
    {
        const std::int32_t status =
            finish_quietly(MASSTREE_ACTION_SET, traits::to_word(value), nullptr);
        if (status == MASSTREE_OK)
            traits::accept(value);
        with_.note(status);
        return status == MASSTREE_OK;
    }

    /**
     * Like set, but returns the previous value, as the tree's exchange does; none if the tree was
     * cleared meanwhile.
     */
    [[nodiscard]] std::optional<taken_type> exchange(argument value)
    {
        const std::uint64_t word = traits::to_word(value);
        std::uint64_t old = word;
        const std::int32_t status = finish_quietly(MASSTREE_ACTION_SET, word, &old);
        if (status == MASSTREE_OK)
            traits::accept(value);
        with_.note(status);
        // Unchanged if no value was displaced.
        return taken_if(status == MASSTREE_OK && !(traits::owned && old == word), old);
    }

    /**
     * Removes the key, if it exists, and unlocks. Returns false if the tree was cleared meanwhile.
     */
    bool remove() { return finish(MASSTREE_ACTION_REMOVE, 0, nullptr); }

    /** Like remove, but returns the previous value; none if the tree was cleared meanwhile. */
    [[nodiscard]] std::optional<taken_type> take()
    {
        std::uint64_t old = 0;
        const bool finished = finish(MASSTREE_ACTION_REMOVE, 0, &old);
        return taken_if(finished, old);
    }

private:
    std::int32_t finish_quietly(std::int32_t what, std::uint64_t word, std::uint64_t *old) noexcept
    {
        const std::int32_t status = masstree_held_finish(&place_, what, word, old);
        cleared_ = status == MASSTREE_CLEARED;
        holds_ = holds_ && status < 0;
        return status;
    }

    bool finish(std::int32_t what, std::uint64_t word, std::uint64_t *old)
    {
        const std::int32_t status = finish_quietly(what, word, old);
        with_.note(status);
        return status == MASSTREE_OK;
    }

    std::optional<taken_type> taken_if(bool finished, std::uint64_t old) const noexcept
    {
        if (!finished || !value_)
            return std::nullopt;
        if constexpr (traits::owned)
            return taken_type(tree_, traits::from_word(old), deleter_);
        else
            return traits::from_word(old);
    }

    masstree_t *tree_;
    void *deleter_;
    guarded with_;
    typename detail::key_traits<K>::bytes key_;
    std::optional<view_type> value_;
    bool holds_ = false;
    bool cleared_ = false;
    bool busy_ = false;
    masstree_held_t place_;
};

} // namespace masstree

#endif
