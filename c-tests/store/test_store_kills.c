/* A process that writes to a store is killed at a random moment, again and again. What the next opening finds
   is the state after some commit: all commits that were reported as written are there, batches are
   whole, and no number is given out twice.

   usage: test_store_kills [-n ROUNDS] [-s SEED]

   Put back: in `Flusher::write_group`, store `written` before the frame is appended; in
   `Reader::open_all`, leave the limits of headers out. */
#include "crash_oracle.h"
#include "crash_process.h"
#include "stores.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS_OF_A_STORE = 20 };

/* Kills a writer at a random moment: while it starts, which includes opening, or while it writes. */
static void kill_one(const struct place *place, const char *path, struct crash_journal *journal,
                     uint64_t *random)
{
    int status = 0;
    pid_t writer = crash_start_writer(path, place->path, random_u64(random));
    bool starts = random_below(random, 4) == 0;
    if (!starts) {
        crash_await_begin(journal, writer);
    }
    crash_wait_us(random_below(random, starts ? 10000 : 30000));
    REQUIRE(kill(writer, SIGKILL) == 0);
    REQUIRE(waitpid(writer, &status, 0) == writer);
    /* It did not end by itself. */
    REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Opens what was left, in either way, and compares. */
static bool compare(const struct place *place, struct crash_journal *journal,
                    struct crash_state *state, bool read_only, struct crash_counts *counts)
{
    static struct crash_state found;
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_t *store = NULL;
    options.flags = read_only ? MASSTREE_STORE_READ_ONLY : 0;
    options.failure = &failure;
    int32_t status = masstree_store_open(place->path, &options, &store);
    if (status == MASSTREE_NOT_FOUND && read_only) {
        /* Killed before there was a store: as an empty one. */
        memset(&found, 0, sizeof found);
    } else if (status != MASSTREE_OK) {
        fprintf(stderr, "opening: %s, %s %s at %" PRIu64 "\n", masstree_strerror(status),
                failure.reason, failure.file, failure.offset);
        return false;
    } else if (!crash_read(store, &found)) {
        return false;
    }
    REQUIRE(masstree_store_close(store) == MASSTREE_OK);
    bool is_right =
        crash_check(state, journal, crash_acknowledged(journal, true), &found, counts);
    *state = found;
    return is_right;
}

static bool run_rounds(uint64_t rounds, uint64_t seed)
{
    struct crash_counts counts = {0, 0, 0};
    static struct crash_state state;
    struct place place;
    char path[96];
    uint64_t random = seed;
    bool is_right = true;
    place_make(&place);
    snprintf(path, sizeof path, "%s.journal", place.parent);
    struct crash_journal *journal = crash_journal_map(path);
    for (uint64_t round = 0; is_right && round < rounds; round++) {
        if (round % ROUNDS_OF_A_STORE == 0 && round > 0) {
            place_remove(&place);
            place_make(&place);
            memset(&state, 0, sizeof state);
        }
        crash_journal_begin(journal, THREADS, round + 1);
        kill_one(&place, path, journal, &random);
        is_right = compare(&place, journal, &state, round % 3 == 0, &counts);
        if (!is_right) {
            fprintf(stderr, "round %" PRIu64 " of seed %" PRIu64 "; the files are left: %s, %s\n",
                    round, seed, place.path, path);
        }
        if (rounds > 100 && (round + 1) % 100 == 0) {
            printf("%" PRIu64 " kills\n", round + 1);
            fflush(stdout);
        }
    }
    crash_journal_unmap(journal);
    if (is_right) {
        unlink(path);
        place_remove(&place);
        printf("%" PRIu64 " kills: %" PRIu64 " commits were found, %" PRIu64
               " lost; some were acknowledged in %" PRIu64 " rounds\n",
               rounds, counts.commits, counts.lost, counts.acknowledged);
    }
    return is_right;
}

int main(int argc, char **argv)
{
    struct crash_arguments arguments = {.rounds = scaled(30), .seed = 1};
    crash_arguments(argc, argv, &arguments);
    return run_rounds(arguments.rounds, arguments.seed) ? 0 : 1;
}
