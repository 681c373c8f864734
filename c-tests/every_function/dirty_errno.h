/* The program's own malloc, mmap, sched_yield, syscall, …: while armed, each sets errno also when
   it succeeds, as C and POSIX let it. They are not there where a sanitizer has its own. */
#ifndef MASSTREE_TEST_DIRTY_ERRNO_H
#define MASSTREE_TEST_DIRTY_ERRNO_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum { DIRTIES_ERRNO = 1 };
#else
enum { DIRTIES_ERRNO = 0 };
#endif

enum dirty_call {
    DIRTY_MALLOC,
    DIRTY_CALLOC,
    DIRTY_REALLOC,
    DIRTY_ALIGNED,
    DIRTY_MMAP,
    DIRTY_MUNMAP,
    DIRTY_MADVISE,
    DIRTY_YIELD,
    DIRTY_SLEEP,
    DIRTY_FUTEX_WAIT,
    DIRTY_CALLS,
};

/* How many of these calls were made while armed. */
extern atomic_size_t dirty_counts[DIRTY_CALLS];
/* Called first in each of them, in a thread that sets it, whether armed or not. */
extern _Thread_local void (*dirty_watch)(enum dirty_call);
/* In this thread, a sleep is refused, as by a seccomp filter. */
extern _Thread_local bool dirty_refuse_sleep;

void dirty_arm(bool on);
/* Whether the program's malloc is called: valgrind replaces it. */
bool dirty_works(void);
/* Lets another thread run; no watch sees it. */
void dirty_real_yield(void);

enum { MARK = 4242 };

#define KEPT(call) assert_true((errno = MARK, (void)(call), errno) == MARK)
/* For other threads than the first. */
#define REQUIRE_KEPT(call) (errno = MARK, (void)(call), REQUIRE(errno == MARK))

#endif
