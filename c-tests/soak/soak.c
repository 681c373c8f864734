/* Runs epochs of the soak test (see soak.h), for a time or a number of epochs, and prints their
   totals. Prints the seed of an epoch that failed: -s SEED -e 1 runs it again.

   usage: soak [-m MINUTES] [-e EPOCHS] [-s SEED] */
#include "soak.h"

#include <inttypes.h>
#include <malloc.h>
#include <time.h>
#include <unistd.h>

/* Totals of all epochs. */
struct totals {
    uint64_t epochs;
    uint64_t checks;
    uint64_t operations;
    uint64_t violations;
    uint64_t peak_limbo;
    uint64_t peak_in_use;
    uint64_t peak_resident;
    uint64_t first_resident; /* after the first epoch */
    uint64_t last_resident;
    double started;
    double reported;
};

static atomic_uint_fast64_t printed;

bool soak_violation(struct soak *soak, const char *file, int line, const char *condition)
{
    atomic_fetch_add(&soak->violations, 1);
    if (atomic_fetch_add(&printed, 1) < 20) {
        fprintf(stderr, "%s:%d: seed %" PRIu64 ": expected: %s\n", file, line, soak->seed,
                condition);
    }
    return false;
}

static double seconds(void)
{
    struct timespec now;
    REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t resident_bytes(void)
{
    unsigned long total = 0;
    unsigned long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    REQUIRE(file != NULL && fscanf(file, "%lu %lu", &total, &resident) == 2);
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void keep_peak(uint64_t *peak, uint64_t value)
{
    *peak = *peak < value ? value : *peak;
}

/* The frequency of each step. */
static const struct {
    soak_operation *run;
    unsigned weight;
} operations[] = {
    {soak_look, 20},          {soak_put, 10},           {soak_exchange, 8},
    {soak_insert, 12},        {soak_remove, 20},        {soak_replace, 5},
    {soak_pop, 4},
    {soak_compare_exchange, 6}, {soak_remove_if_equal, 6}, {soak_update, 8},
    {soak_get_or_insert, 6},  {soak_scan, 2},           {soak_count, 1},
    {soak_longest_prefix, 4}, {soak_sample, 1},
    {soak_walk, 2},           {soak_get_many, 2},       {soak_put_many, 1},
    {soak_insert_many, 1},    {soak_remove_many, 2},    {soak_refresh, 4},
    {soak_move_guard, 1},     {soak_retire, 3},         {soak_flush, 1},
    {soak_maintain, 2},       {soak_barrier, 1},        {soak_inspect, 2},
    {soak_clear_or_load, 1},  {soak_reread, 2},         {soak_rewalk, 1},
    {soak_transact, 4},       {soak_hold, 8},
    {soak_call, 1},           {soak_versions, 4},       {soak_store, 4},
};

static soak_operation *choose_operation(uint64_t *random)
{
    unsigned total = 0;
    for (size_t i = 0; i < COUNT(operations); i++) {
        total += operations[i].weight;
    }
    size_t drawn = random_below(random, total);
    size_t at = 0;
    for (; drawn >= operations[at].weight; at++) {
        drawn -= operations[at].weight;
    }
    return operations[at].run;
}

struct shift {
    struct soak_worker worker;
    size_t steps;
};

/* A thread of a period; holds no guard when it ends. */
static void work(void *arg)
{
    struct shift *shift = arg;
    struct soak_worker *worker = &shift->worker;
    EXPECT(worker, masstree_guard_enter(worker->soak->tree, &worker->guard) == MASSTREE_OK);
    for (size_t step = 0; step < shift->steps; step++) {
        worker->steps++;
        choose_operation (&worker->random)(worker);
    }
    masstree_guard_leave(worker->guard);
    worker->guard = NULL;
    soak_leave_passed_on(worker->soak);
    atomic_fetch_add(&worker->soak->operations, shift->steps);
}

static void destroy_value(uint64_t value, void *ctx)
{
    struct soak *soak = ctx;
    atomic_fetch_add(&soak->destroyed_values, 1);
    atomic_fetch_add(&soak->destroyed_sum, value);
}

/* Bytes that trees have from the allocator below. */
static atomic_uint_fast64_t allocated;

static void *allocate(size_t size, size_t align, void *ctx)
{
    void *memory = NULL;
    (void)ctx;
    if (posix_memalign(&memory, align < sizeof memory ? sizeof memory : align, size) != 0) {
        return NULL;
    }
    atomic_fetch_add(&allocated, size);
    return memory;
}

static void give_back(void *memory, size_t size, size_t align, void *ctx)
{
    (void)align;
    (void)ctx;
    memset(memory, 0xDD, size);
    free(memory);
    atomic_fetch_sub(&allocated, size);
}

static void begin(struct soak *soak, uint64_t *random, bool is_short)
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    uint32_t keys = is_short || random_below(random, 2) == 0 ? 900 : 30000;
    /* In turn, so that a few epochs cover everything. */
    soak->holds_bytes = soak->seed % 3 == 0;
    soak->destroys = !soak->holds_bytes && soak->seed % 2 == 0;
    soak->wild = soak->seed % 4 == 2 || soak->seed % 12 == 3;
    soak->long_guard = soak->seed % 5 == 4;
    soak->keys = (300 + (uint32_t)random_below(random, keys)) / (SOAK_THREADS + 2) *
                 (SOAK_THREADS + 2);
    soak_choose_groups(soak, random);
    options.value_kind = soak->holds_bytes ? MASSTREE_VALUES_BYTES : MASSTREE_VALUES_WORDS;
    if (soak->destroys) {
        options.value_destructor = destroy_value;
        options.value_ctx = soak;
    }
    if (random_below(random, 2) == 0) {
        options.alloc = allocate;
        options.free = give_back;
        options.chunk_size = random_below(random, 2) == 0 ? 1 : 0;
    }
    options.huge_pages = random_below(random, 2) == 0 ? MASSTREE_HUGE_PAGES_NEVER
                                                      : MASSTREE_HUGE_PAGES_FOR_LARGE_TREES;
    if (options.alloc != NULL && options.chunk_size == 0 && random_below(random, 2) == 0) {
        options.huge_pages = MASSTREE_HUGE_PAGES_FROM_ALLOCATOR;
    }
    REQUIRE(masstree_create(&options, &soak->tree) == MASSTREE_OK);
    options = (masstree_options_t)MASSTREE_OPTIONS_INIT;
    options.value_kind = soak->holds_bytes ? MASSTREE_VALUES_BYTES : MASSTREE_VALUES_WORDS;
    REQUIRE(masstree_create(&options, &soak->called) == MASSTREE_OK);
    options.value_kind = MASSTREE_VALUES_VERSIONED;
    REQUIRE(masstree_create(&options, &soak->versioned) == MASSTREE_OK);
    soak->held = calloc(soak->keys, sizeof *soak->held);
    REQUIRE(soak->held != NULL);
}

static void add_account(struct soak_account *sum, const struct soak_account *account)
{
    sum->values += account->values;
    sum->sum += account->sum;
}

/* What a thread counted for itself. */
static void add_counts(struct soak_worker *worker)
{
    struct soak *soak = worker->soak;
    add_account(&soak->accepted, &worker->accepted);
    add_account(&soak->taken, &worker->taken);
    soak->retired += worker->retired;
    worker->accepted = worker->taken = (struct soak_account){0, 0};
    worker->retired = 0;
}

static void end(struct soak_worker *only)
{
    struct soak *soak = only->soak;
    EXPECT(only, masstree_check(soak->called, NULL, NULL, NULL) == MASSTREE_OK);
    masstree_destroy(soak->called);
    EXPECT(only, masstree_check(soak->versioned, NULL, NULL, NULL) == MASSTREE_OK);
    masstree_destroy(soak->versioned);
    soak_close_store(only);
    masstree_destroy(soak->tree);
    EXPECT(only, soak->retired == atomic_load(&soak->retired_freed));
    EXPECT(only, atomic_load(&allocated) == 0);
    if (soak->destroys) {
        EXPECT(only, soak->accepted.values ==
                         soak->taken.values + atomic_load(&soak->destroyed_values));
        EXPECT(only, soak->accepted.sum == soak->taken.sum + atomic_load(&soak->destroyed_sum));
    }
    free(soak->held);
}

static void report(struct totals *totals, const struct soak *soak, bool is_last)
{
    double now = seconds();
    if (!is_last && now - totals->reported < 10) {
        return;
    }
    totals->reported = now;
    printf("%s%.1f min: %" PRIu64 " operations in %" PRIu64 " epochs, %" PRIu64
           " checks; peaks: %.1f MB in use, %.2f MB in limbo, %.1f MB resident "
           "(%.1f MB after the first epoch, %.1f MB after the last); seed %" PRIu64
           "; %" PRIu64 " violations\n",
           is_last ? "soak, " : "", (now - totals->started) / 60, totals->operations,
           totals->epochs, totals->checks, (double)totals->peak_in_use / 1e6,
           (double)totals->peak_limbo / 1e6, (double)totals->peak_resident / 1e6,
           (double)totals->first_resident / 1e6, (double)totals->last_resident / 1e6, soak->seed,
           totals->violations);
    fflush(stdout);
}

static void run_epoch(struct totals *totals, uint64_t seed, bool is_short)
{
    struct soak soak = {.seed = seed};
    struct soak_worker only = {.soak = &soak, .id = SOAK_THREADS, .random = seed};
    struct shift shifts[SOAK_THREADS] = {0};
    void (*run[SOAK_THREADS])(void *);
    uint64_t random = seed;
    begin(&soak, &random, is_short);
    soak_open_store(&only);
    soak_fill(&only);
    for (unsigned i = 0; i < SOAK_THREADS; i++) {
        shifts[i].worker = (struct soak_worker){.soak = &soak, .id = i, .random = random_u64(&random)};
        shifts[i].steps = scaled(20000);
        run[i] = work;
    }
    size_t periods = is_short ? 2 : 1 + random_below(&random, 10);
    for (size_t period = 0; period < periods; period++) {
        masstree_guard_t *guard = soak.long_guard ? new_guard(soak.tree) : NULL;
        run_together(SOAK_THREADS, run, shifts, sizeof shifts[0]);
        keep_peak(&totals->peak_in_use, soak_watch(&soak));
        keep_peak(&totals->peak_resident, resident_bytes());
        masstree_guard_leave(guard);
        soak_verify_quiet(&only);
        totals->checks++;
    }
    for (unsigned i = 0; i < SOAK_THREADS; i++) {
        add_counts(&shifts[i].worker);
    }
    add_counts(&only);
    end(&only);
    totals->epochs++;
    totals->operations += atomic_load(&soak.operations);
    totals->violations += atomic_load(&soak.violations);
    keep_peak(&totals->peak_limbo, atomic_load(&soak.peak_limbo));
#ifdef __GLIBC__
    malloc_trim(0); /* memory that malloc caches would look like a leak */
#endif
    totals->last_resident = resident_bytes();
    if (totals->epochs == 1) {
        totals->first_resident = totals->last_resident;
    }
    report(totals, &soak, false);
}

static double number(const char *text)
{
    char *end_of_number = NULL;
    double value = strtod(text, &end_of_number);
    if (end_of_number == text || *end_of_number != '\0' || value < 0) {
        fprintf(stderr, "soak: not a number: %s\n", text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    double minutes = 0;
    uint64_t epochs = 12;
    uint64_t seed = 1;
    int option;
    while ((option = getopt(argc, argv, "m:e:s:")) != -1) {
        switch (option) {
        case 'm':
            minutes = number(optarg);
            break;
        case 'e':
            epochs = (uint64_t)number(optarg);
            break;
        case 's':
            seed = (uint64_t)number(optarg);
            break;
        default:
            fprintf(stderr, "usage: %s [-m MINUTES] [-e EPOCHS] [-s SEED]\n", argv[0]);
            return 2;
        }
    }
    struct totals totals = {.started = seconds(), .reported = seconds()};
    struct soak last = {.seed = seed};
    bool is_short = minutes == 0;
    while (is_short ? totals.epochs < epochs : seconds() < totals.started + minutes * 60) {
        last.seed = seed++;
        run_epoch(&totals, last.seed, is_short);
    }
    report(&totals, &last, true);
    return totals.violations == 0 ? 0 : 1;
}
