/* A thread that waits for the holder of a leaf lets it run (known-failures row 43): the waiter
   sleeps, which its count of voluntary context switches shows; spinning and yielding cause none.
   The holder does not unlock before it has seen that.

   Put back: never Turn::Sleep in src/sync/wait.rs; the test does not end then. */
#include "support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { KEY = 7, PRIORITY = 1 };

struct waiter {
    masstree_t *tree;
    bool is_real_time;
    bool is_forbidden; /* to be that */
    long tid;
    long switches; /* before it waits */
    atomic_bool begins;
};

static void ignore_signal(int number)
{
    (void)number;
}

/* Both threads on one processor: a waiter under SCHED_FIFO occupies it until it sleeps. */
static void stay_on_this_processor(void)
{
    cpu_set_t set;
    int processor = sched_getcpu();
    REQUIRE(processor >= 0);
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    REQUIRE(sched_setaffinity(0, sizeof set, &set) == 0);
}

static void *wait_for_holder(void *arg)
{
    struct waiter *waiter = arg;
    struct rusage usage;
    if (waiter->is_real_time) {
        struct sched_param param = {.sched_priority = PRIORITY};
        waiter->is_forbidden = pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) != 0;
    }
    /* Registers the thread, so that below it waits for the holder only. */
    enter_unguarded(waiter->tree);
    REQUIRE(getrusage(RUSAGE_THREAD, &usage) == 0);
    waiter->tid = syscall(SYS_gettid);
    waiter->switches = usage.ru_nvcsw;
    atomic_store(&waiter->begins, true);
    errno = EDOM;
    REQUIRE(masstree_put_u64(waiter->tree, NULL, KEY, 2) == MASSTREE_OK);
    REQUIRE(errno == EDOM);
    return NULL;
}

static long voluntary_switches_of(long tid)
{
    char line[256];
    long count = -1;
    snprintf(line, sizeof line, "/proc/self/task/%ld/status", tid);
    FILE *status = fopen(line, "r");
    assert_non_null(status);
    while (fgets(line, sizeof line, status) != NULL) {
        (void)sscanf(line, "voluntary_ctxt_switches: %ld", &count);
    }
    fclose(status);
    assert_true(count >= 0);
    return count;
}

/* Reports whether the waiter was allowed to be what it should be. */
static bool hold_until_the_waiter_sleeps(bool is_real_time)
{
    struct waiter waiter = {.tree = new_tree(), .is_real_time = is_real_time};
    masstree_guard_t *guard = new_guard(waiter.tree);
    masstree_held_t held;
    pthread_t thread;
    const unsigned char key[8] = {0, 0, 0, 0, 0, 0, 0, KEY};
    uint64_t value;
    assert_ok(masstree_put_u64(waiter.tree, guard, KEY, 1));
    assert_ok(masstree_hold(waiter.tree, guard, key, sizeof key, 0, &held, &value));
    assert_int_equal(pthread_create(&thread, NULL, wait_for_holder, &waiter), 0);
    while (!atomic_load(&waiter.begins)) {
        sched_yield();
    }
    /* Terminates: the waiter sleeps. Signals interrupt its sleeps, which must not show in errno. */
    while (voluntary_switches_of(waiter.tid) <= waiter.switches + 3) {
        assert_int_equal(pthread_kill(thread, SIGUSR1), 0);
        sched_yield();
    }
    assert_ok(masstree_held_finish(&held, MASSTREE_ACTION_KEEP, 0, NULL));
    masstree_guard_leave(guard);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ok(masstree_get_u64(waiter.tree, NULL, KEY, &value));
    assert_int_equal(value, 2);
    end_tree(waiter.tree);
    return !waiter.is_forbidden;
}

static void waiter_sleeps_in_the_end(void **state)
{
    (void)state;
    hold_until_the_waiter_sleeps(false);
}

static void real_time_waiter_lets_an_ordinary_holder_run(void **state)
{
    (void)state;
    if (!hold_until_the_waiter_sleeps(true)) {
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiter_sleeps_in_the_end),
        cmocka_unit_test(real_time_waiter_lets_an_ordinary_holder_run),
    };
    struct sigaction action = {.sa_handler = ignore_signal};
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    stay_on_this_processor();
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
