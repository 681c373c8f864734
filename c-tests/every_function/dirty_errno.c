#include "dirty_errno.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

atomic_size_t dirty_counts[DIRTY_CALLS];
_Thread_local void (*dirty_watch)(enum dirty_call);
_Thread_local bool dirty_refuse_sleep;

static atomic_bool armed;

void dirty_arm(bool on)
{
    atomic_store(&armed, on);
}

bool dirty_works(void)
{
    size_t before = atomic_load(&dirty_counts[DIRTY_MALLOC]);
    void *(*volatile allocate)(size_t) = malloc;
    dirty_arm(true);
    free(allocate(1));
    dirty_arm(false);
    return atomic_load(&dirty_counts[DIRTY_MALLOC]) > before;
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t align, size_t size);

static long (*real_syscall)(long number, ...);
static int (*real_yield)(void);
static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
static int (*real_munmap)(void *, size_t);

static void find(const char *name, void *function)
{
    *(void **)function = dlsym(RTLD_NEXT, name);
    if (*(void **)function == NULL) {
        abort();
    }
}

/* No call below comes earlier: the loader and the C library have their own. */
__attribute__((constructor(101))) static void find_all(void)
{
    find("syscall", &real_syscall);
    find("sched_yield", &real_yield);
    find("mmap", &real_mmap);
    find("munmap", &real_munmap);
}

void dirty_real_yield(void)
{
    real_yield();
}

static void watch(enum dirty_call call)
{
    if (dirty_watch != NULL) {
        dirty_watch(call);
    }
}

static void dirty(enum dirty_call call, int error)
{
    if (atomic_load(&armed)) {
        atomic_fetch_add(&dirty_counts[call], 1);
        errno = error;
    }
}

static void *dirty_memory(enum dirty_call call, void *memory)
{
    dirty(call, ENOMEM);
    return memory;
}

void *malloc(size_t size)
{
    watch(DIRTY_MALLOC);
    return dirty_memory(DIRTY_MALLOC, __libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    watch(DIRTY_CALLOC);
    return dirty_memory(DIRTY_CALLOC, __libc_calloc(count, size));
}

void *realloc(void *memory, size_t size)
{
    watch(DIRTY_REALLOC);
    return dirty_memory(DIRTY_REALLOC, __libc_realloc(memory, size));
}

void *aligned_alloc(size_t align, size_t size)
{
    watch(DIRTY_ALIGNED);
    return dirty_memory(DIRTY_ALIGNED, __libc_memalign(align, size));
}

void *memalign(size_t align, size_t size)
{
    return aligned_alloc(align, size);
}

int posix_memalign(void **memory, size_t align, size_t size)
{
    *memory = aligned_alloc(align, size);
    return *memory == NULL ? ENOMEM : 0;
}

void *mmap(void *memory, size_t size, int protection, int flags, int file, off_t offset)
{
    watch(DIRTY_MMAP);
    memory = real_mmap(memory, size, protection, flags, file, offset);
    dirty(DIRTY_MMAP, ENOMEM);
    return memory;
}

int munmap(void *memory, size_t size)
{
    watch(DIRTY_MUNMAP);
    int status = real_munmap(memory, size);
    dirty(DIRTY_MUNMAP, EINVAL);
    return status;
}

/* Advice, which is not taken. */
int madvise(void *memory, size_t size, int advice)
{
    (void)memory;
    (void)size;
    (void)advice;
    watch(DIRTY_MADVISE);
    dirty(DIRTY_MADVISE, EPERM);
    return 0;
}

int sched_yield(void)
{
    watch(DIRTY_YIELD);
    int status = real_yield();
    dirty(DIRTY_YIELD, EPERM);
    return status;
}

/* As the library and Rust's standard library call it: with pointers and integers. */
long syscall(long number, ...)
{
    va_list list;
    va_start(list, number);
    long arg[6];
    for (size_t i = 0; i < 6; i++) {
        arg[i] = va_arg(list, long);
    }
    va_end(list);
    bool known = true;
    enum dirty_call call = DIRTY_CALLS;
    switch (number) {
    case SYS_futex:
        known = (arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT ||
                (arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
        call = DIRTY_FUTEX_WAIT;
        break;
    case SYS_clock_nanosleep:
        call = DIRTY_SLEEP;
        break;
    default:
        known = false;
    }
    if (known) {
        watch(call);
    }
    if (call == DIRTY_SLEEP && dirty_refuse_sleep) {
        errno = EPERM;
        return -1;
    }
    long status = real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    /* A call that fails has set it. */
    if (known && status >= 0) {
        dirty(call, EAGAIN);
    }
    return status;
}
#else
void dirty_real_yield(void)
{
    sched_yield();
}
#endif
