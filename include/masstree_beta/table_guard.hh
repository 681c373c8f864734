// A guard of a table that a thread keeps during a section, so that not every write must enter one.
// masstree-beta has no such file; programs include the others.
#ifndef MASSTREE_BETA_TABLE_GUARD_HH
#define MASSTREE_BETA_TABLE_GUARD_HH

#include "libmasstree.hh"

#pragma GCC visibility push(default)
#include <thread>
#pragma GCC visibility pop

namespace masstree_beta {

/** A pointer that many threads read, to objects that are never freed. */
template <typename T>
class published {
public:
    constexpr published() : pointer_(nullptr)
    {
    }
    operator T*() const
    {
        return pointer_.load(std::memory_order_acquire);
    }
    T* operator->() const
    {
        return *this;
    }
    /** Inserts an element at the front. */
    void push(T* first, T*& next)
    {
        next = pointer_.load(std::memory_order_relaxed);
        while (!pointer_.compare_exchange_weak(
            next, first, std::memory_order_release, std::memory_order_relaxed)) {
        }
    }

private:
    std::atomic<T*> pointer_;
};

/** A template, since before C++17 a header can define static members of templates only. */
template <typename T>
struct every {
    static published<T> allthreads;
};
template <typename T>
published<T> every<T>::allthreads;

/**
 * The guard that a thread has of the table to which it wrote last, from the first write in a
 * section to the end of the section. Never freed.
 *
 * Its thread reads it without the lock. A thread that destroys a table leaves the guards that other
 * threads have of it: those threads do not use that table any more, but may be about to leave the
 * same guard, or to enter one of another table. So guards are entered and left under a lock.
 */
class table_guard : private every<table_guard> {
public:
    table_guard() : next_(nullptr), tree_(nullptr), guard_(nullptr), locked_(false),
                    state_(0)
    {
        allthreads.push(this, next_);
    }
    table_guard(const table_guard&) = delete;
    table_guard& operator=(const table_guard&) = delete;

    /** Begins a section, or the next one. */
    void begin()
    {
        state_ |= in_section;
        if (!is_idle())
            return;
        const locking lock(*this);
        if (tree_.load(std::memory_order_relaxed) != nullptr)
            masstree_guard_refresh(guard_);
    }
    void end()
    {
        state_ &= ~in_section;
        let_go();
    }

    /** The guard for a read without callbacks, or NULL, which the C functions accept, too. */
    masstree_guard_t* of(const masstree_t* tree) const
    {
        return tree_.load(std::memory_order_relaxed) == tree ? guard_ : nullptr;
    }
    /** Whether `use` may be called: in sections, unless it is in use. */
    bool is_usable() const
    {
        return state_ == in_section;
    }
    /** The guard for a write, until release; is_usable() must be true, or the program is not in a
        section and the guard not in use. */
    masstree_guard_t* use(const char* what, const masstree_t* tree)
    {
        if (unlikely(tree_.load(std::memory_order_relaxed) != tree))
            enter(what, tree);
        state_ |= in_use;
        return guard_;
    }
    void release()
    {
        if (likely(state_ == (in_section | in_use))) {
            state_ = in_section;
            return;
        }
        state_ &= ~in_use;
        let_go();
    }

    /** Leaves every guard of a tree, which is about to be destroyed. */
    static void leave_all(const masstree_t* tree)
    {
        for (table_guard* one = allthreads; one != nullptr; one = one->next_) {
            // Acquire, pairs with `leave`: if the guard was left, that happened before.
            if (one->tree_.load(std::memory_order_acquire) != tree)
                continue;
            const locking lock(*one);
            if (one->tree_.load(std::memory_order_relaxed) == tree)
                one->leave();
        }
    }

private:
    class locking {
    public:
        explicit locking(table_guard& what) : what_(what)
        {
            while (what_.locked_.exchange(true, std::memory_order_acquire))
                std::this_thread::yield();
        }
        ~locking()
        {
            what_.locked_.store(false, std::memory_order_release);
        }
        locking(const locking&) = delete;
        locking& operator=(const locking&) = delete;

    private:
        table_guard& what_;
    };

    /** Call it under the lock. */
    void leave()
    {
        masstree_guard_leave(guard_);
        // Release: see leave_all.
        tree_.store(nullptr, std::memory_order_release);
    }
    __attribute__((noinline)) void enter(const char* what, const masstree_t* tree)
    {
        const locking lock(*this);
        if (tree_.load(std::memory_order_relaxed) != nullptr)
            leave();
        check(what, masstree_guard_enter(tree, &guard_));
        tree_.store(tree, std::memory_order_release);
    }
    /** Whether the thread has a guard that no cursor uses. */
    bool is_idle() const
    {
        return (state_ & in_use) == 0 && tree_.load(std::memory_order_relaxed) != nullptr;
    }
    void let_go()
    {
        if ((state_ & in_section) != 0 || !is_idle())
            return;
        const locking lock(*this);
        if (tree_.load(std::memory_order_relaxed) != nullptr)
            leave();
    }

    table_guard* next_;
    std::atomic<const masstree_t*> tree_;
    masstree_guard_t* guard_;
    std::atomic<bool> locked_;
    /** What `state_` contains. */
    enum : unsigned { in_section = 1, in_use = 2 };
    unsigned state_;
};

/** The program's own threadinfo type has no table guard; threadinfo overloads this. */
template <typename T>
inline table_guard* table_guard_of(T&)
{
    return nullptr;
}

} // namespace masstree_beta

#endif
