/*
 * How do the threads of a pool share pointers that other threads replace?
 *
 * Each worker holds a guard: objects that it found stay valid even if another worker displaces
 * them, and the tree's destructor frees them when no guard protects them any more. A worker
 * refreshes its guard between jobs; otherwise displaced memory would wait for it for ever.
 *
 * Prints:
 *     40000 jobs by 4 workers, every account intact
 *     every value was freed
 */
#include <masstree.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 4, JOBS = 10000, ACCOUNTS = 100 };

struct account {
    uint64_t number, copy; /* equal, unless the account was freed meanwhile */
};

static masstree_t *tree;
static atomic_long living;
static atomic_ulong jobs_done;

static void require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "worker_pool: %s\n", masstree_strerror(status));
        exit(1);
    }
}

static void free_account(uint64_t value, void *ctx)
{
    struct account *account = (struct account *)(uintptr_t)value;
    (void)ctx;
    account->number = 0;
    free(account);
    atomic_fetch_sub(&living, 1);
}

static void replace_account(masstree_guard_t *guard, uint64_t number)
{
    struct account *fresh = malloc(sizeof *fresh);
    if (fresh == NULL)
        require(MASSTREE_NOMEM);
    atomic_fetch_add(&living, 1);
    fresh->number = fresh->copy = number;
    require(masstree_put_u64(tree, guard, number, (uint64_t)(uintptr_t)fresh));
}

static void *work(void *ctx)
{
    uint64_t random = *(const uint64_t *)ctx, value;
    masstree_guard_t *guard;
    require(masstree_guard_enter(tree, &guard));
    for (int job = 0; job < JOBS; job++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        uint64_t number = (random >> 33) % ACCOUNTS;
        require(masstree_get_u64(tree, guard, number, &value));
        const struct account *account = (const struct account *)(uintptr_t)value;
        replace_account(guard, number); /* displaces the object that account points to */
        if (account->number == number && account->copy == number)
            atomic_fetch_add(&jobs_done, 1);
        masstree_guard_refresh(guard);
    }
    masstree_guard_leave(guard);
    return NULL;
}

int main(void)
{
    static uint64_t seeds[WORKERS] = { 1, 2, 3, 4 };
    pthread_t workers[WORKERS];
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_destructor = free_account;
    require(masstree_create(&options, &tree));
    for (uint64_t number = 0; number < ACCOUNTS; number++)
        replace_account(NULL, number);
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&workers[i], NULL, work, &seeds[i]) != 0)
            return 1;
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    printf("%lu jobs by %d workers, every account intact\n", atomic_load(&jobs_done), WORKERS);
    masstree_destroy(tree);
    puts(atomic_load(&living) == 0 ? "every value was freed" : "values are left");
}
