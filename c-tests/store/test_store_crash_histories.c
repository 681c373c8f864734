/* Sessions of a process run transactions over several trees; the process is killed (kill -9), the store is opened,
   and the next process goes on with what is there. All of that is one history: it is serializable, as the
   checker of c-tests/silo finds from what was read and written. What the opening finds is a prefix of the
   commits, with all that were reported as written. With snapshot isolation the history is not serializable.

   Each transaction that writes also stores its place in the session under a key of the session's, which is not
   in the history: so the opening shows which transactions are there.

   usage: test_store_crash_histories [-n TRANSACTIONS] [-s SEED]

   Put back: in `Transaction::validate`, validate no ranges; or no keys; in `Transaction::validate_before`, return; in
   `Transaction::note_returned`, note nothing. */
#include "../silo/checker.h"
#include "crash_sessions.h"

#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is known of a key: the commit that wrote it last, and whether that has removed it. */
struct last {
    uint64_t number;
    bool is_there;
};

struct run {
    struct place place;
    char path[96]; /* of the journal */
    struct sessions *sessions;
    struct history history;
    struct last last[ALL_KEYS];
    uint64_t random;
    uint64_t rounds, lost, in_flight, read_only;
};

static uint64_t returned_of(struct sessions *sessions)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SESSIONS; i++) {
        sum += atomic_load(&sessions->lanes[i].returned);
    }
    return sum;
}

/* Runs a process until so many transactions have returned, or it has ended; kills it. */
static void run_and_kill(struct run *run, uint64_t transactions)
{
    char seed[24];
    int status = 0;
    snprintf(seed, sizeof seed, "%" PRIu64, random_u64(&run->random));
    pid_t writer = fork();
    REQUIRE(writer >= 0);
    if (writer == 0) {
        become_writer(run->path, run->place.path, seed);
    }
    /* Ends: the sessions go on until there are so many, or the process fails. */
    siginfo_t ended = {.si_pid = 0};
    while (returned_of(run->sessions) < transactions && ended.si_pid == 0) {
        sched_yield();
        REQUIRE(waitid(P_PID, (id_t)writer, &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
    }
    REQUIRE(kill(writer, SIGKILL) == 0);
    REQUIRE(waitpid(writer, &status, 0) == writer);
    REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* The session's transactions of this round that are there, and the number of the last. */
static uint64_t found_of(struct run *run, masstree_store_t *store, size_t session, uint64_t *number)
{
    struct place_in_session place = {0, 0};
    masstree_version_t version = {0};
    masstree_t *tree = tree_named(store, COUNTERS);
    masstree_guard_t *guard = new_guard(tree);
    unsigned char key = (unsigned char)session;
    if (masstree_get_at(tree, guard, &key, 1, MASSTREE_SEQNO_LATEST, &version) == MASSTREE_OK) {
        REQUIRE(version.value_len == sizeof place);
        memcpy(&place, version.value, sizeof place);
    }
    masstree_guard_leave(guard);
    *number = version.seqno;
    return place.round == run->sessions->round ? place.count : 0;
}

/* Adds a transaction to the history. */
static void add(struct run *run, uint32_t session, struct told *entry)
{
    struct committed committed = {.number = entry->number,
                                  .session = session,
                                  .reads = entry->reads,
                                  .read_count = entry->read_count,
                                  .writes = entry->writes,
                                  .write_count = entry->write_count};
    if (entry->write_count == 0) {
        /* No number of its own: one that no commit has. */
        committed.number = (uint64_t)1 << 60 | ++run->read_only;
    }
    history_add(&run->history, &committed);
    for (size_t i = 0; i < entry->write_count; i++) {
        struct last *last = &run->last[entry->writes[i].key];
        if (last->number < entry->number) {
            *last = (struct last){entry->number, !entry->removes[i]};
        }
    }
}

struct found {
    uint64_t count[SESSIONS]; /* that had begun and are there, those in between that have written nothing too */
    uint64_t greatest;        /* number of those */
};

static struct found find(struct run *run, masstree_store_t *store)
{
    struct found found = {.greatest = 0};
    for (size_t i = 0; i < SESSIONS; i++) {
        struct lane *lane = &run->sessions->lanes[i];
        uint64_t number = 0;
        uint64_t returned = atomic_load(&lane->returned);
        found.count[i] = found_of(run, store, i, &number);
        REQUIRE(found.count[i] <= atomic_load(&lane->begun));
        if (found.count[i] > returned) {
            /* Killed in the commit, which is there. */
            lane->entries[returned].number = number;
            run->in_flight++;
        }
        for (uint64_t at = 0; at < found.count[i]; at++) {
            const struct told *entry = &lane->entries[at];
            if (entry->write_count > 0 && entry->number > found.greatest) {
                found.greatest = entry->number;
            }
        }
    }
    return found;
}

/* Adds what was found to the history; false if what is lost is not what came last. */
static bool take_round(struct run *run, masstree_store_t *store)
{
    struct found found = find(run, store);
    for (size_t i = 0; i < SESSIONS; i++) {
        struct lane *lane = &run->sessions->lanes[i];
        uint64_t returned = atomic_load(&lane->returned);
        uint64_t known = found.count[i] > returned ? found.count[i] : returned;
        for (uint64_t at = 0; at < known; at++) {
            struct told *entry = &lane->entries[at];
            bool is_there =
                entry->write_count > 0 ? at < found.count[i] : entry->number <= found.greatest;
            if (is_there) {
                add(run, (uint32_t)i, entry);
                continue;
            }
            run->lost++;
            if (entry->write_count > 0 && (entry->number < found.greatest || entry->is_safe)) {
                fprintf(stderr, "commit %" PRIu64 " is lost%s; %" PRIu64 " is there\n",
                        entry->number, entry->is_safe ? ", and was reported as written" : "",
                        found.greatest);
                return false;
            }
        }
    }
    return true;
}

/* Whether each key is as the last commit of the history has left it. */
static bool is_as_written(struct run *run, masstree_store_t *store)
{
    bool is_right = true;
    for (uint32_t i = 0; i < ALL_KEYS; i++) {
        char key[KEY_ROOM];
        masstree_version_t version = {0};
        masstree_t *tree = tree_named(store, tree_name(i));
        masstree_guard_t *guard = new_guard(tree);
        int32_t status = masstree_get_at(tree, guard, key_text(i, key), KEY_LENGTH,
                                         MASSTREE_SEQNO_LATEST, &version);
        if ((status == MASSTREE_OK) != run->last[i].is_there ||
            (status == MASSTREE_OK && version.seqno != run->last[i].number)) {
            fprintf(stderr, "%s of %s: %s, %" PRIu64 "; expected %" PRIu64 "\n", key, tree_name(i),
                    masstree_strerror(status), version.seqno, run->last[i].number);
            is_right = false;
        }
        masstree_guard_leave(guard);
        run->sessions->absent[i] = run->last[i].number;
    }
    return is_right;
}

static bool run_round(struct run *run)
{
    sessions_begin(run->sessions, ++run->rounds);
    run_and_kill(run, random_below(&run->random, 1500));
    masstree_store_t *store = open_store(run->place.path, NULL);
    bool is_right = take_round(run, store) && is_as_written(run, store);
    if (run->rounds % 3 == 0) {
        assert_ok(masstree_store_checkpoint(store));
    }
    close_store(store);
    return is_right;
}

/* One history of so many transactions, in a store of its own. */
static bool run_history(uint32_t isolation, uint64_t transactions, uint64_t seed, FILE *out)
{
    static struct run run;
    memset(&run, 0, sizeof run);
    run.random = seed;
    place_make(&run.place);
    snprintf(run.path, sizeof run.path, "%s.journal", run.place.parent);
    run.sessions = sessions_map(run.path);
    run.sessions->isolation = isolation;
    run.sessions->meets = isolation == MASSTREE_TXN_SNAPSHOT;
    bool is_right = true;
    while (is_right && run.history.count < transactions) {
        is_right = run_round(&run);
    }
    bool is_sound = is_right && is_serializable(&run.history, out);
    printf("%zu transactions, %" PRIu64 " kills, %" PRIu64 " transactions lost, %" PRIu64
           " killed in a commit that is there: %s\n",
           run.history.count, run.rounds, run.lost, run.in_flight,
           is_sound ? "serializable" : "not serializable");
    fflush(stdout);
    history_clear(&run.history);
    sessions_unmap(run.sessions);
    REQUIRE(is_right);
    unlink(run.path);
    place_remove(&run.place);
    return is_sound;
}

/* Whether a history with snapshot isolation is found not to be serializable. Its transactions run four at a time, on a
   busy machine too: about every tenth group of them is not serializable, and a history has hundreds. */
static bool checker_notices(uint64_t seed)
{
    for (uint64_t more = 0; more < 20; more++) {
        if (!run_history(MASSTREE_TXN_SNAPSHOT, 2000, seed + more, NULL)) {
            return true;
        }
    }
    return false;
}

static uint64_t number(const char *text)
{
    char *end = NULL;
    uint64_t value = strtoull(text, &end, 10);
    REQUIRE(end != text && *end == '\0');
    return value;
}

int main(int argc, char **argv)
{
    uint64_t transactions = scaled(6000);
    uint64_t seed = 1;
    int option;
    if (strcmp(argv[0], "writer") == 0 && argc == 4) {
        sessions_run(sessions_map(argv[1]), argv[2], number(argv[3]));
    }
    while ((option = getopt(argc, argv, "n:s:")) != -1) {
        switch (option) {
        case 'n':
            transactions = number(optarg);
            break;
        case 's':
            seed = number(optarg);
            break;
        default:
            fprintf(stderr, "usage: %s [-n TRANSACTIONS] [-s SEED]\n", argv[0]);
            return 2;
        }
    }
    bool passed = run_history(MASSTREE_TXN_SERIALIZABLE, transactions, seed, stderr);
    passed = checker_notices(seed) && passed;
    if (!passed) {
        fprintf(stderr, "test_store_crash_histories: failed\n");
    }
    return passed ? 0 : 1;
}
