/* The power fails while a process writes to a store on an ext4 file system, again and again. The file
   system lies in a file of another one. That one is frozen, so that the file does not change, and the file
   is copied: what the kernel has not handed to the block device by then is lost. The copy is mounted, which
   replays its journal, and the store in it opened: it has the state after some commit, with all commits that
   were reported as durable.

   usage: test_store_power_cuts [-n ROUNDS] [-s SEED]. Needs root, loop devices and mkfs.ext4; without them it
   is skipped.

   Put back: in `Flusher::sync`, leave the sync out. */
#include "crash_oracle.h"
#include "crash_process.h"
#include "stores.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS_OF_A_STORE = 10, SKIPPED = 77 };

/* Runs a command in the directory of the test. */
static bool run(const struct place *place, const char *command)
{
    char line[512];
    snprintf(line, sizeof line, "cd %s && %s", place->parent, command);
    return system(line) == 0;
}

/* Makes the file systems, in a mount namespace of this process; false if that is not possible. */
static bool make_file_systems(const struct place *place)
{
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           run(place, "mkdir outer inner crashed && truncate -s 400M outer.img && "
                      "mkfs.ext4 -q outer.img && mount -o loop outer.img outer && "
                      "truncate -s 128M outer/inner.img && mkfs.ext4 -q outer/inner.img && "
                      "mount -o loop outer/inner.img inner");
}

static void remove_file_systems(const struct place *place)
{
    REQUIRE(run(place, "umount inner && umount outer && "
                       "rm -rf outer inner crashed outer.img copy.img journal"));
}

/* Copies the inner file system as it is at one moment. */
static void cut_power(const struct place *place)
{
    char path[128];
    snprintf(path, sizeof path, "%s/outer", place->parent);
    int outer = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(outer >= 0);
    REQUIRE(ioctl(outer, FIFREEZE, 0) == 0);
    bool is_copied = run(place, "cp --sparse=always outer/inner.img copy.img");
    REQUIRE(ioctl(outer, FITHAW, 0) == 0);
    REQUIRE(is_copied);
    close(outer);
}

/* Mounts the copy, and reads the store in it. */
static bool read_copy(const struct place *place, struct crash_state *found)
{
    char path[128];
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    masstree_store_t *store = NULL;
    options.failure = &failure;
    REQUIRE(run(place, "mount -o loop copy.img crashed"));
    snprintf(path, sizeof path, "%s/crashed/store", place->parent);
    int32_t status = masstree_store_open(path, &options, &store);
    if (status != MASSTREE_OK) {
        fprintf(stderr, "opening: %s, %s %s at %" PRIu64 "\n", masstree_strerror(status),
                failure.reason, failure.file, failure.offset);
        return false;
    }
    bool is_right = crash_read(store, found);
    REQUIRE(masstree_store_close(store) == MASSTREE_OK);
    return run(place, "umount crashed") && is_right;
}

/* A writer, and a cut beside it. */
static bool run_round(const struct place *place, struct crash_journal *journal,
                      struct crash_state *state, uint64_t *random, struct crash_counts *counts)
{
    static struct crash_state found;
    char path[128], directory[128];
    int status = 0;
    snprintf(path, sizeof path, "%s/journal", place->parent);
    snprintf(directory, sizeof directory, "%s/inner/store", place->parent);
    pid_t writer = crash_start_writer(path, directory, random_u64(random));
    bool starts = random_below(random, 4) == 0;
    if (!starts) {
        crash_await_begin(journal, writer);
    }
    crash_wait_us(random_below(random, starts ? 8000 : 25000));
    uint64_t durable = crash_acknowledged(journal, false);
    cut_power(place);
    atomic_store(&journal->stops, true);
    REQUIRE(waitpid(writer, &status, 0) == writer);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    bool is_right =
        read_copy(place, &found) && crash_check(state, journal, durable, &found, counts);
    crash_finish(state, journal);
    return is_right;
}

static bool run_rounds(const struct place *place, const struct crash_arguments *arguments)
{
    struct crash_counts counts = {0, 0, 0};
    static struct crash_state state;
    char path[128];
    uint64_t random = arguments->seed;
    snprintf(path, sizeof path, "%s/journal", place->parent);
    struct crash_journal *journal = crash_journal_map(path);
    for (uint64_t round = 0; round < arguments->rounds; round++) {
        if (round % ROUNDS_OF_A_STORE == 0) {
            REQUIRE(run(place, "rm -rf inner/store && sync -f inner"));
            memset(&state, 0, sizeof state);
        }
        crash_journal_begin(journal, THREADS, round + 1);
        if (!run_round(place, journal, &state, &random, &counts)) {
            fprintf(stderr, "round %" PRIu64 " of seed %" PRIu64 "; the files are left: %s\n", round,
                    arguments->seed, place->parent);
            return false;
        }
        if ((round + 1) % 50 == 0) {
            printf("%" PRIu64 " cuts\n", round + 1);
            fflush(stdout);
        }
    }
    crash_journal_unmap(journal);
    printf("%" PRIu64 " cuts: %" PRIu64 " commits were found, %" PRIu64
           " lost; some were durable in %" PRIu64 " rounds\n",
           arguments->rounds, counts.commits, counts.lost, counts.acknowledged);
    return true;
}

int main(int argc, char **argv)
{
    struct crash_arguments arguments = {.rounds = scaled(3), .seed = 1};
    struct place place;
    crash_arguments(argc, argv, &arguments);
    place_make(&place);
    if (!make_file_systems(&place)) {
        printf("skipped: mounting loop devices is not possible here\n");
        return SKIPPED;
    }
    if (!run_rounds(&place, &arguments)) {
        return 1;
    }
    remove_file_systems(&place);
    place_remove(&place);
    return 0;
}
