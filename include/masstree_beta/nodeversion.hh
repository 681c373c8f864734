// Some programs use masstree-beta's version words as their own small spin locks.
#ifndef MASSTREE_BETA_NODEVERSION_HH
#define MASSTREE_BETA_NODEVERSION_HH

#include "compiler.hh"

#pragma GCC visibility push(default)
#include <thread>
#pragma GCC visibility pop

namespace masstree_beta {

/** A lock. Programs cannot lock the nodes of a table with it. */
template <typename T>
class version_lock {
public:
    typedef T value_type;
    struct traits_type {
        enum : uint64_t {
            lock_bit = 0 // Versions that programs see never have it: see node_base.
        };
    };

    explicit version_lock(bool isleaf = false) : locked_(false), isleaf_(isleaf)
    {
    }
    bool isleaf() const
    {
        return isleaf_;
    }
    bool locked() const
    {
        return locked_.load(std::memory_order_acquire);
    }
    void lock()
    {
        for (unsigned tries = 1; locked_.exchange(true, std::memory_order_acquire); ++tries) {
            relax_fence();
            if (tries % 64 == 0)
                std::this_thread::yield();
        }
    }
    bool try_lock()
    {
        return !locked_.exchange(true, std::memory_order_acquire);
    }
    void unlock()
    {
        locked_.store(false, std::memory_order_release);
    }

private:
    std::atomic<bool> locked_;
    bool isleaf_;
};

} // namespace masstree_beta

typedef masstree_beta::version_lock<uint32_t> nodeversion32;
typedef masstree_beta::version_lock<uint64_t> nodeversion64;
typedef nodeversion64 nodeversion;

#endif
