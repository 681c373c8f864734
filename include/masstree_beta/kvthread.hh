// Threads: their allocations, and when retired memory is freed.
//
// A thread is in a section from its rcu_start, or rcu_quiesce, to its rcu_stop. Its section holds
// a guard of a tree that this file creates, which stays empty, and through which everything is
// retired: memory that a thread found in its section is not freed before the thread leaves the
// section, or begins the next with rcu_start or rcu_quiesce. The tables themselves need no section;
// but writes in a section keep a guard of the table until its end (table_guard.hh).
#ifndef MASSTREE_BETA_KVTHREAD_HH
#define MASSTREE_BETA_KVTHREAD_HH

#include "circular_int.hh"
#include "compiler.hh"
#include "libmasstree.hh"
#include "mtcounters.hh"
#include "table_guard.hh"
#include "timestamp.hh"

#pragma GCC visibility push(default)
#include <pthread.h>
#include <sys/mman.h>
#pragma GCC visibility pop

#pragma GCC visibility push(default)
#include <chrono>
#include <vector>
#pragma GCC visibility pop

class threadinfo;
namespace masstree_beta {
template <typename T> class thread;
} // namespace masstree_beta

typedef uint64_t mrcu_epoch_type;
typedef int64_t mrcu_signed_epoch_type;

#ifdef MASSTREE_BETA_EPOCH_TYPE
// For programs that rely on masstree-beta to declare the globals that they define: pass their type
// on the command line, as -DMASSTREE_BETA_EPOCH_TYPE='volatile uint64_t'.
extern MASSTREE_BETA_EPOCH_TYPE globalepoch;
extern MASSTREE_BETA_EPOCH_TYPE active_epoch;
#endif

/**
 * A callback for when every section active at registration has ended. The thread with whose
 * threadinfo it was registered calls it once, in one of its rcu_start, rcu_quiesce and rcu_stop.
 */
class MASSTREE_BETA_ABI mrcu_callback {
public:
    mrcu_callback() : next_(nullptr)
    {
    }
    mrcu_callback(const mrcu_callback&) : next_(nullptr)
    {
    }
    mrcu_callback& operator=(const mrcu_callback&)
    {
        return *this;
    }
    virtual ~mrcu_callback()
    {
    }
    virtual void operator()(threadinfo& ti) = 0;

private:
    template <typename T> friend class masstree_beta::thread;
    mrcu_callback* next_;
};

namespace masstree_beta {

/** The tree whose guards sections hold. It ends with the process. */
inline masstree_t* sections()
{
    struct maker {
        static masstree_t* make()
        {
            masstree_t* tree = nullptr;
            check("rcu", masstree_create(nullptr, &tree));
            return tree;
        }
    };
    static masstree_t* const tree = maker::make();
    return tree;
}

/**
 * The implementation of threadinfo, T. Programs declare threadinfo without its tag (abi.hh), before
 * they include any header: so everything with symbols is here, under a name that masstree-beta does
 * not have.
 */
template <typename T>
class thread : public every<T> {
    // Shown to programs, as threadinfo's:
public:
    enum { TI_MAIN, TI_PROCESS, TI_LOG, TI_CHECKPOINT };
    typedef ::mrcu_callback mrcu_callback;
    typedef ::mrcu_callback rcu_callback;

    /** Any thread may create any number of them, for itself or for other threads. */
    static T* make(int purpose, int index)
    {
        T* made = new T(purpose, index);
        every<T>::allthreads.push(made, made->next_);
        return made;
    }
    T* next() const
    {
        return next_;
    }
    int purpose() const
    {
        return purpose_;
    }
    int index() const
    {
        return index_;
    }
    pthread_t& pthread()
    {
        return pthread_;
    }
    pthread_t pthread() const
    {
        return pthread_;
    }

    kvtimestamp_t operation_timestamp() const
    {
        return timestamp();
    }
    kvtimestamp_t update_timestamp() const
    {
        return ts_;
    }
    kvtimestamp_t update_timestamp(kvtimestamp_t seen) const
    {
        // Odd timestamps mark removed rows: use the next even one.
        if (circular_int<kvtimestamp_t>::less_equal(ts_, seen))
            ts_ = (seen | 1) + 1;
        return ts_;
    }
    kvtimestamp_t update_timestamp(kvtimestamp_t a, kvtimestamp_t b) const
    {
        return update_timestamp(circular_int<kvtimestamp_t>::less(a, b) ? b : a);
    }
    void increment_timestamp()
    {
        ts_ += 2;
    }
    void advance_timestamp(kvtimestamp_t seen)
    {
        if (circular_int<kvtimestamp_t>::less(ts_, seen))
            ts_ = seen;
    }

    void mark(threadcounter)
    {
    }
    void mark(threadcounter, int64_t)
    {
    }
    bool has_counter(threadcounter) const
    {
        return false;
    }
    uint64_t counter(threadcounter) const
    {
        return 0;
    }
    void reset_counters()
    {
    }

    class accounting_relax_fence_function {
    public:
        template <typename V>
        void operator()(V) const
        {
            relax_fence();
        }
        void operator()() const
        {
            relax_fence();
        }
    };
    accounting_relax_fence_function accounting_relax_fence(threadcounter)
    {
        return accounting_relax_fence_function();
    }
    accounting_relax_fence_function stable_fence()
    {
        return accounting_relax_fence_function();
    }
    relax_fence_function lock_fence(threadcounter)
    {
        return relax_fence_function();
    }

    void* allocate(size_t size, memtag)
    {
        void* memory = malloc(size == 0 ? 1 : size);
        if (unlikely(memory == nullptr))
            out_of_memory("threadinfo::allocate");
        return memory;
    }
    void deallocate(void* memory, size_t, memtag)
    {
        free(memory);
    }
    void deallocate_rcu(void* memory, size_t size, memtag)
    {
        retire(memory, size, free_memory);
    }
    /** Allocates whole cache lines. */
    void* pool_allocate(size_t size, memtag)
    {
        void* memory = nullptr;
        size = (size + CACHE_LINE_SIZE - 1) / CACHE_LINE_SIZE * CACHE_LINE_SIZE;
        if (unlikely(posix_memalign(&memory, CACHE_LINE_SIZE, size) != 0))
            out_of_memory("threadinfo::pool_allocate");
        return memory;
    }
    void pool_deallocate(void* memory, size_t, memtag)
    {
        free(memory);
    }
    void pool_deallocate_rcu(void* memory, size_t size, memtag)
    {
        retire(memory, size, free_memory);
    }

    /** Enters a section; ends the current one, if any. */
    void rcu_start()
    {
        enter();
        run_callbacks();
    }
    /** Ends the protection of everything found so far; another name of rcu_start. */
    void rcu_quiesce()
    {
        rcu_start();
    }
    /** Leaves the section, if the thread is in one. */
    void rcu_stop()
    {
        leave();
        run_callbacks();
    }
    /** Calls `callback` when every section active now has ended. Callable from anywhere. */
    void rcu_register(mrcu_callback* callback)
    {
        // The class of a callback is derived from the one as which it is retired.
        retire(callback, 0, hand_to_owner);
    }

    /**
     * 0 while any thread is in a section, otherwise the largest non-negative number: whatever epoch
     * numbers a program uses, objects of an epoch below the result may be freed. Callable from a
     * signal handler.
     */
    static mrcu_epoch_type min_active_epoch()
    {
        for (const T* ti = every<T>::allthreads; ti != nullptr; ti = ti->next_)
            if (ti->guard_.load(std::memory_order_seq_cst) != nullptr)
                return 0;
        return static_cast<mrcu_epoch_type>(INT64_MAX);
    }

    // Found by argument-dependent lookup only.
    friend table_guard* table_guard_of(T& ti)
    {
        thread* const given = address_of(ti);
        return likely(given != nullptr) ? &given->table_ : nullptr;
    }

protected:
    thread(int purpose, int index)
        : next_(nullptr), purpose_(purpose), index_(index), pthread_(), ts_(2), guard_(nullptr),
          enterer_(nullptr), ready_(nullptr), waiting_(0)
    {
    }
    thread(const thread&) = delete;
    thread& operator=(const thread&) = delete;

private:
    typedef std::chrono::steady_clock clock;

    /**
     * The threadinfos that have entered sections on one thread; leaves them when the thread ends.
     */
    class entered {
    public:
        ~entered()
        {
            for (size_t i = 0; i != list_.size(); ++i)
                if (list_[i]->enterer_.load(std::memory_order_relaxed) == this)
                    list_[i]->leave();
        }
        void add(thread* ti)
        {
            ti->enterer_.store(this, std::memory_order_relaxed);
            for (size_t i = 0; i != list_.size(); ++i)
                if (list_[i] == ti)
                    return;
            list_.push_back(ti);
        }
        static entered& here()
        {
            static thread_local entered list;
            return list;
        }

    private:
        std::vector<thread*> list_;
    };

    void enter()
    {
        entered& here = entered::here();
        if (enterer_.load(std::memory_order_relaxed) != &here)
            here.add(this);
        table_.begin();
        flush();
        masstree_guard_t* guard = guard_.load(std::memory_order_relaxed);
        if (guard != nullptr) {
            masstree_guard_refresh(guard);
            return;
        }
        check(
            "rcu_start", masstree_guard_enter(sections(), &guard));
        guard_.store(guard, std::memory_order_seq_cst);
    }
    void leave()
    {
        table_.end();
        flush();
        masstree_guard_leave(guard_.exchange(nullptr, std::memory_order_seq_cst));
    }

    void retire(void* object, size_t size, masstree_free_object_t how)
    {
        // Without the guard: its incomplete batch would wait with a guard that may be left.
        check("rcu", masstree_retire(sections(), nullptr, object,
                                        size, how, this));
        ++waiting_;
    }
    /** Submits incomplete batches; about as often as masstree-beta's epochs end. */
    void flush()
    {
        if (waiting_ == 0)
            return;
        const clock::time_point now = clock::now();
        if (now - flushed_ < std::chrono::milliseconds(1))
            return;
        check("rcu", masstree_flush(sections(), nullptr));
        flushed_ = now;
        waiting_ = 0;
    }

    static void free_memory(void* memory, size_t, void*)
    {
        free(memory);
    }
    // Runs inside the library, on any thread, where callbacks must not run: only queues them.
    static void hand_to_owner(void* object, size_t, void* owner)
    {
        mrcu_callback* callback = static_cast<mrcu_callback*>(object);
        std::atomic<mrcu_callback*>& ready = static_cast<thread*>(owner)->ready_;
        callback->next_ = ready.load(std::memory_order_relaxed);
        while (!ready.compare_exchange_weak(callback->next_, callback,
            std::memory_order_release, std::memory_order_relaxed)) {
        }
    }
    void run_callbacks()
    {
        if (likely(ready_.load(std::memory_order_relaxed) == nullptr))
            return;
        mrcu_callback* last = ready_.exchange(nullptr, std::memory_order_acquire);
        mrcu_callback* first = nullptr;
        while (last != nullptr) {
            mrcu_callback* const before = last->next_;
            last->next_ = first;
            first = last;
            last = before;
        }
        while (first != nullptr) {
            mrcu_callback* const callback = first;
            first = first->next_;
            (*callback)(*static_cast<T*>(this));
        }
    }

    T* next_;
    int purpose_;
    int index_;
    pthread_t pthread_;
    mutable kvtimestamp_t ts_;
    std::atomic<masstree_guard_t*> guard_;
    std::atomic<const entered*> enterer_;
    std::atomic<mrcu_callback*> ready_;
    size_t waiting_;
    clock::time_point flushed_;
    table_guard table_;
};

} // namespace masstree_beta

/** A registered thread. Lives until the process ends. */
class threadinfo : public masstree_beta::thread<threadinfo> {
    friend class masstree_beta::thread<threadinfo>;
    MASSTREE_BETA_ABI threadinfo(int purpose, int index)
        : masstree_beta::thread<threadinfo>(purpose, index)
    {
    }
};

#endif
