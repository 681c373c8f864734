/**
 * @file
 * Guards of the C++ interface of libmasstree, and what else a call can be given. Part of
 * masstree.hpp.
 */
#ifndef MASSTREE_GUARD_HPP
#define MASSTREE_GUARD_HPP

#pragma GCC visibility push(default)
#include <system_error>
#include <utility>
#pragma GCC visibility pop

#include "error.hpp"

namespace masstree {

/**
 * Keeps alive what is read through it, until it is refreshed or left: pointers that a tree owns,
 * and bytes that were not copied. Made by `tree.enter()`.
 *
 * Movable; the destructor leaves. It is used by one thread at a time, but may move between threads.
 * It must be gone before its tree is destroyed, and cursors and views made with it before it.
 * Memory displaced meanwhile waits for every guard: refresh one that you keep. Entering costs some
 * tens of nanoseconds; an operation with a guard is cheaper than one without.
 *
 * An empty guard (moved from, left, or not entered because of an error) counts as none.
 */
class [[nodiscard]] guard {
public:
    /** An empty guard. */
    guard() noexcept = default;
    /** Takes over what the C interface made. */
    explicit guard(masstree_guard_t *handle) noexcept : handle_(handle) {}
    /** Takes the guard over from `other`, which is empty then. */
    guard(guard &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    /** Leaves this guard, and takes over `other`. */
    guard &operator=(guard &&other) noexcept
    {
        guard left(std::move(other));
        swap(left);
        return *this;
    }
    ~guard() { leave(); }

    /** Lets go of everything read so far, and pins anew: cheaper than to leave and enter. */
    void refresh() noexcept { masstree_guard_refresh(handle_); }

    /** Leaves; the guard is empty then. */
    void leave() noexcept { masstree_guard_leave(std::exchange(handle_, nullptr)); }

    /** Whether it is not empty. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }

    /** For the C interface; stays this object's. */
    [[nodiscard]] masstree_guard_t *handle() const noexcept { return handle_; }

    /** Exchanges two guards. */
    void swap(guard &other) noexcept { std::swap(handle_, other.handle_); }

private:
    masstree_guard_t *handle_ = nullptr;
};

/**
 * What a call runs with: a guard, or none, for then it pins for itself; and an std::error_code, or
 * none, for then it throws. It is never named:
 *
 *     tree.get(key);
 *     tree.get(key, guard);
 *     tree.get(key, code);
 *     tree.get(key, {guard, code});
 */
class context : public errors {
public:
    /** No guard, errors are thrown. */
    constexpr context() noexcept = default;
    /** No guard, errors are stored in `code`. */
    constexpr context(std::error_code &code) noexcept : errors(code) {}
    /** Under guard `held`, errors are thrown. */
    context(const guard &held) noexcept : guard_(held.handle()) {}
    /** Under guard `held`, errors are stored in `code`. */
    context(const guard &held, std::error_code &code) noexcept
        : errors(code), guard_(held.handle())
    {
    }

    /** Used by the library: the guard, or a null pointer. */
    [[nodiscard]] masstree_guard_t *handle() const noexcept { return guard_; }

private:
    masstree_guard_t *guard_ = nullptr;
};

/** A context for what goes on using its guard and std::error_code: cursors and views. */
class lasting : public context {
public:
    /** A guard of its own, errors are thrown. */
    lasting() noexcept = default;
    /** A guard of its own, errors are stored in `code`. */
    lasting(std::error_code &code) noexcept : context(code) {}
    /** Under guard `held`, errors are thrown. */
    lasting(const guard &held) noexcept : context(held) {}
    /** Under guard `held`, errors are stored in `code`. */
    lasting(const guard &held, std::error_code &code) noexcept : context(held, code) {}
    /** A guard must be kept for as long as the result is used. */
    lasting(guard &&) = delete;
    /** A guard must be kept for as long as the result is used. */
    lasting(guard &&, std::error_code &) = delete;
};

/** A context that has a guard: for results that are readable only while it is held. */
class guarded : public context {
public:
    /** Under guard `held`, errors are thrown. */
    guarded(const guard &held) noexcept : context(held) {}
    /** Under guard `held`, errors are stored in `code`. */
    guarded(const guard &held, std::error_code &code) noexcept : context(held, code) {}
    /** A guard must be kept for as long as the result is used. */
    guarded(guard &&) = delete;
    /** A guard must be kept for as long as the result is used. */
    guarded(guard &&, std::error_code &) = delete;
};

} // namespace masstree

#endif
