/**
 * @file
 * Guards of the C++ interface of libmasstree, and the contexts of calls. Part of masstree.hpp.
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
 * Protects memory that is read under it, until it is refreshed or left: objects that a tree owns,
 * and bytes that were not copied. `tree.enter()` makes one.
 *
 * Movable; the destructor leaves the guard. One thread at a time uses it, but it may move between
 * threads. Destroy it before its tree, and cursors and views made with it before the guard. Memory
 * displaced meanwhile waits for every guard: refresh a guard that is kept for long. Entering costs
 * some tens of nanoseconds; an operation with a guard is cheaper than one without.
 *
 * An empty guard (moved from, left, or not entered because of an error) acts as no guard.
 */
class [[nodiscard]] guard {
public:
    /** An empty guard. */
    guard() noexcept = default;
    /** Takes ownership of a C handle. */
    explicit guard(masstree_guard_t *handle) noexcept : handle_(handle) {}
    /** Moves from `other`, which is empty afterwards. */
    guard(guard &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    /** Leaves this guard, and moves from `other`. */
    guard &operator=(guard &&other) noexcept
    {
        guard left(std::move(other));
        swap(left);
        return *this;
    }
    ~guard() { leave(); }

    /**
     * Ends the protection of everything read so far, and pins again: cheaper than leaving and
     * entering.
     */
    void refresh() noexcept { masstree_guard_refresh(handle_); }

    /** Leaves the guard, which is empty afterwards. */
    void leave() noexcept { masstree_guard_leave(std::exchange(handle_, nullptr)); }

    /** Whether it is not empty. */
    [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }

    /** The C handle; this object keeps owning it. */
    [[nodiscard]] masstree_guard_t *handle() const noexcept { return handle_; }

    /** Exchanges two guards. */
    void swap(guard &other) noexcept { std::swap(handle_, other.handle_); }

private:
    masstree_guard_t *handle_ = nullptr;
};

/**
 * The context of a call: a guard, or none (then the call pins for itself); and an std::error_code,
 * or none (then errors are thrown). Do not name this type:
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

/** A context for cursors and views, which keep using its guard and std::error_code. */
class lasting : public context {
public:
    /** Its own guard, errors are thrown. */
    lasting() noexcept = default;
    /** Its own guard, errors are stored in `code`. */
    lasting(std::error_code &code) noexcept : context(code) {}
    /** Under guard `held`, errors are thrown. */
    lasting(const guard &held) noexcept : context(held) {}
    /** Under guard `held`, errors are stored in `code`. */
    lasting(const guard &held, std::error_code &code) noexcept : context(held, code) {}
    /** Deleted: the guard must outlive the result. */
    lasting(guard &&) = delete;
    /** Deleted: the guard must outlive the result. */
    lasting(guard &&, std::error_code &) = delete;
};

/** A context with a guard: for results that are valid only while it is held. */
class guarded : public context {
public:
    /** Under guard `held`, errors are thrown. */
    guarded(const guard &held) noexcept : context(held) {}
    /** Under guard `held`, errors are stored in `code`. */
    guarded(const guard &held, std::error_code &code) noexcept : context(held, code) {}
    /** Deleted: the guard must outlive the result. */
    guarded(guard &&) = delete;
    /** Deleted: the guard must outlive the result. */
    guarded(guard &&, std::error_code &) = delete;
};

} // namespace masstree

#endif
