/* Transactions sum ranges and move amounts between rows, and open and close rows meanwhile, in
   many small histories: each history is serializable, and no amount is lost. In most histories
   one thread runs the steps of all transactions in turns, so that a seed repeats it; in the
   others several threads run. If the engine omits the node sets, histories are not serializable,
   which the checker detects; if it omits the deltas, transactions abort because of their own
   writes.

   usage: test_serializable [-n HISTORIES] [-s SEED] */
#include "checker.h"
#include "silo.h"

#include <inttypes.h>
#include <sched.h>

enum { SLOTS = 5, STEPS = 5, OPENING_AMOUNT = 100 };

struct step {
    enum { STEP_SCAN, STEP_READ, STEP_MOVE } kind;
    uint32_t first;
    uint32_t second;
    enum how how;
    bool all;
};

/* Runs transactions one after the other, a step at a time. */
struct runner {
    struct silo *silo;
    uint32_t session;
    uint64_t serial;
    uint64_t random;
    size_t left; /* transactions to begin */
    enum { IDLE, RUNNING, LOCKED } state;
    struct step steps[STEPS];
    size_t step_count;
    size_t next;
    uint64_t total; /* the sum of all rows */
    bool has_wrong_sum;
    struct history history;
    uint64_t commits;
    uint64_t wrong_sums;
    uint64_t aborts[CAUSES];
    struct transaction transaction;
};

/* Reads one of three quarters, then moves an amount to it from the fourth. Of two transactions that
   do so with one quarter, each opens a row that the other has not seen, unless one aborts. */
static void plan_skew(struct runner *runner)
{
    uint64_t *random = &runner->random;
    uint32_t quarter = runner->silo->keys / 4;
    uint32_t first = (uint32_t)random_below(random, 3) * quarter;
    runner->steps[0] = (struct step){.kind = STEP_SCAN,
                                     .first = first,
                                     .second = first + quarter,
                                     .how = (enum how)random_below(random, HOWS)};
    runner->steps[1] = (struct step){.kind = STEP_MOVE,
                                     .first = 3 * quarter + (uint32_t)random_below(random, quarter),
                                     .second = first + (uint32_t)random_below(random, quarter),
                                     .all = random_below(random, 3) == 0};
    runner->step_count = 2;
}

static void plan(struct runner *runner)
{
    uint64_t *random = &runner->random;
    uint32_t keys = runner->silo->keys;
    runner->next = 0;
    runner->has_wrong_sum = false;
    if (random_below(random, 3) == 0) {
        plan_skew(runner);
        return;
    }
    runner->step_count = 1 + random_below(random, STEPS);
    for (size_t i = 0; i < runner->step_count; i++) {
        struct step *step = &runner->steps[i];
        *step = (struct step){.first = (uint32_t)random_below(random, keys),
                              .second = (uint32_t)random_below(random, keys),
                              .how = (enum how)random_below(random, HOWS),
                              .all = random_below(random, 3) == 0};
        switch (random_below(random, 5)) {
        case 0:
            step->kind = STEP_SCAN;
            step->first = 0;
            step->second = keys;
            break;
        case 1:
            step->kind = STEP_SCAN;
            step->second = step->first + (keys - step->first) / 4;
            break;
        case 2:
            step->kind = STEP_READ;
            break;
        default:
            step->kind = STEP_MOVE;
        }
    }
}

static void add_amount(uint32_t key, const struct row *row, void *ctx)
{
    (void)key;
    *(uint64_t *)ctx += row->amount;
}

static bool scan(struct runner *runner, const struct step *step)
{
    uint64_t sum = 0;
    if (!transaction_scan(&runner->transaction, step->first, step->second, step->how, add_amount,
                          &sum)) {
        return false;
    }
    bool is_whole = step->first == 0 && step->second == runner->silo->keys;
    runner->has_wrong_sum = runner->has_wrong_sum || (is_whole && sum != runner->total);
    return true;
}

/* From a row, which is closed if it becomes empty, to another, which is opened if necessary. */
static bool move(struct runner *runner, const struct step *step)
{
    struct transaction *transaction = &runner->transaction;
    struct row from;
    struct row to;
    if (!transaction_read(transaction, step->first, &from) ||
        !transaction_read(transaction, step->second, &to)) {
        return false;
    }
    if (!from.is_present || step->first == step->second) {
        return true;
    }
    uint64_t amount =
        step->all ? from.amount : 1 + random_below(&runner->random, (size_t)from.amount);
    return transaction_write(transaction, step->first, from.amount != amount,
                             from.amount - amount) &&
           transaction_write(transaction, step->second, true, to.amount + amount);
}

static bool take_step(struct runner *runner, const struct step *step)
{
    struct row row;
    switch (step->kind) {
    case STEP_SCAN:
        return scan(runner, step);
    case STEP_READ:
        return transaction_read(&runner->transaction, step->first, &row);
    default:
        return move(runner, step);
    }
}

static void note_commit(struct runner *runner)
{
    const struct transaction *transaction = &runner->transaction;
    struct access reads[SILO_READS];
    struct access writes[SILO_WRITES];
    struct committed committed = {.number = transaction->number,
                                  .session = runner->session,
                                  .reads = reads,
                                  .read_count = transaction->read_count,
                                  .writes = writes,
                                  .write_count = transaction->write_count};
    for (size_t i = 0; i < transaction->read_count; i++) {
        reads[i] = (struct access){transaction->reads[i].key, transaction->reads[i].writer};
    }
    for (size_t i = 0; i < transaction->write_count; i++) {
        writes[i] = (struct access){transaction->writes[i].key, transaction->writes[i].before};
    }
    history_add(&runner->history, &committed);
    runner->commits++;
    runner->wrong_sums += runner->has_wrong_sum ? 1 : 0;
}

static void end_transaction(struct runner *runner, bool has_committed)
{
    if (has_committed) {
        note_commit(runner);
    } else {
        runner->aborts[runner->transaction.cause]++;
        transaction_abort(&runner->transaction);
    }
    runner->state = IDLE;
}

/* Performs the next step; false when all are done. */
static bool go_on(struct runner *runner)
{
    switch (runner->state) {
    case IDLE:
        if (random_below(&runner->random, 2) == 0) {
            transaction_collect(&runner->transaction);
        }
        if (runner->left == 0) {
            return false;
        }
        runner->left--;
        plan(runner);
        transaction_begin(&runner->transaction,
                          (uint64_t)(runner->session + 1) << 32 | ++runner->serial);
        runner->state = RUNNING;
        return true;
    case RUNNING:
        if (runner->next < runner->step_count) {
            if (!take_step(runner, &runner->steps[runner->next++])) {
                end_transaction(runner, false);
            }
        } else if (transaction_lock(&runner->transaction)) {
            runner->state = LOCKED;
        } else {
            end_transaction(runner, false);
        }
        return true;
    default:
        end_transaction(runner, transaction_commit(&runner->transaction));
        return true;
    }
}

/* Totals of histories. */
struct outcome {
    uint64_t histories;
    uint64_t commits;
    uint64_t aborts[CAUSES];
    uint64_t not_serializable;
    uint64_t wrong_sums;
};

struct setting {
    size_t slots;
    size_t transactions; /* of each */
    bool has_threads;
    bool leaves_out_nodes;
    bool leaves_out_deltas;
};

static struct runner runners[SLOTS];

static void run_thread(void *arg)
{
    struct runner *runner = arg;
    while (go_on(runner)) {
        if (random_below(&runner->random, 64) == 0) {
            sched_yield();
        }
    }
}

static void run_slots(const struct setting *setting, uint64_t *random)
{
    void (*run[SLOTS])(void *);
    if (setting->has_threads) {
        for (size_t i = 0; i < setting->slots; i++) {
            run[i] = run_thread;
        }
        run_together(setting->slots, run, runners, sizeof runners[0]);
        return;
    }
    for (size_t running = setting->slots; running > 0;) {
        struct runner *runner = &runners[random_below(random, setting->slots)];
        if (runner->left == 0 && runner->state == IDLE) {
            continue;
        }
        go_on(runner);
        running -= runner->left == 0 && runner->state == IDLE ? 1 : 0;
    }
}

static void begin_history(struct silo *silo, const struct setting *setting, uint64_t *random)
{
    uint32_t keys = 8 + (uint32_t)random_below(random, SILO_KEYS - 8);
    uint64_t total = 0;
    silo_open(silo, (unsigned)random_below(random, 3), keys);
    silo->leaves_out_nodes = setting->leaves_out_nodes;
    silo->leaves_out_deltas = setting->leaves_out_deltas;
    for (uint32_t key = 0; key < keys; key++) {
        if (key == 0 || random_below(random, 2) == 0) {
            silo_load(silo, key, OPENING_AMOUNT);
            total += OPENING_AMOUNT;
        }
    }
    for (size_t i = 0; i < setting->slots; i++) {
        memset(&runners[i], 0, offsetof(struct runner, transaction.reads));
        runners[i].transaction.garbage_count = 0;
        runners[i].silo = runners[i].transaction.silo = silo;
        runners[i].session = (uint32_t)i;
        runners[i].random = random_u64(random);
        runners[i].left = setting->transactions;
        runners[i].total = total;
        REQUIRE(masstree_guard_enter(silo->tree, &runners[i].transaction.guard) == MASSTREE_OK);
    }
}

/* The final state. */
static void read_all(struct runner *runner)
{
    static const struct step all_forward = {.kind = STEP_SCAN, .how = HOW_FORWARD};
    struct step step = all_forward;
    step.second = runner->silo->keys;
    runner->has_wrong_sum = false;
    transaction_begin(&runner->transaction,
                      (uint64_t)(runner->session + 1) << 32 | ++runner->serial);
    REQUIRE(scan(runner, &step) && transaction_lock(&runner->transaction) &&
            transaction_commit(&runner->transaction));
    note_commit(runner);
}

/* One history, determined by its seed; prints violations to `out`. */
static bool run_history(const struct setting *setting, uint64_t seed, struct outcome *outcome,
                        FILE *out)
{
    struct silo silo;
    struct history history = {NULL, 0, 0};
    uint64_t random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    uint64_t wrong_sums = 0;
    begin_history(&silo, setting, &random);
    run_slots(setting, &random);
    read_all(&runners[0]);
    for (size_t i = 0; i < setting->slots; i++) {
        outcome->commits += runners[i].commits;
        wrong_sums += runners[i].wrong_sums;
        for (size_t cause = 0; cause < CAUSES; cause++) {
            outcome->aborts[cause] += runners[i].aborts[cause];
        }
        masstree_guard_leave(runners[i].transaction.guard);
        history_take(&history, &runners[i].history);
    }
    silo_close(&silo);
    bool is_sound = is_serializable(&history, out);
    history_clear(&history);
    outcome->histories++;
    outcome->not_serializable += is_sound ? 0 : 1;
    outcome->wrong_sums += wrong_sums;
    if ((!is_sound || wrong_sums > 0) && out != NULL) {
        fprintf(out, "seed %" PRIu64 ": %s, %" PRIu64 " wrong sums\n", seed,
                is_sound ? "serializable" : "not serializable", wrong_sums);
    }
    return is_sound && wrong_sums == 0;
}

static void report(const char *what, const struct outcome *outcome)
{
    printf("%s: %" PRIu64 " histories, %" PRIu64 " transactions committed, aborted by locks %"
           PRIu64 ", read sets %" PRIu64 ", node sets %" PRIu64 ", deltas %" PRIu64
           "; %" PRIu64 " histories not serializable, %" PRIu64 " wrong sums\n",
           what, outcome->histories, outcome->commits, outcome->aborts[CAUSE_LOCK],
           outcome->aborts[CAUSE_READ_SET], outcome->aborts[CAUSE_NODE_SET],
           outcome->aborts[CAUSE_DELTA], outcome->not_serializable, outcome->wrong_sums);
    fflush(stdout);
}

static bool are_serializable(const char *what, struct setting setting, uint64_t histories,
                             uint64_t seed)
{
    struct outcome outcome = {0};
    bool is_sound = true;
    for (uint64_t i = 0; i < histories && is_sound; i++) {
        if (!setting.has_threads) {
            setting.slots = 2 + (size_t)((seed + i) % (SLOTS - 1));
        }
        is_sound = run_history(&setting, seed + i, &outcome, stderr);
    }
    report(what, &outcome);
    return is_sound;
}

/* The checker finds phantoms that validation does not detect. */
static bool node_sets_are_needed(uint64_t histories, uint64_t seed)
{
    struct setting setting = {.slots = 4, .transactions = 15, .leaves_out_nodes = true};
    struct outcome outcome = {0};
    for (uint64_t i = 0; i < histories; i++) {
        run_history(&setting, seed + i, &outcome, NULL);
    }
    report("without node sets", &outcome);
    return outcome.not_serializable > 0;
}

static uint64_t aborts_of(const struct outcome *outcome)
{
    uint64_t sum = 0;
    for (size_t cause = 0; cause < CAUSES; cause++) {
        sum += outcome->aborts[cause];
    }
    return sum;
}

/* A transaction alone never aborts, except without deltas because of its own writes. */
static bool deltas_are_needed(uint64_t histories, uint64_t seed)
{
    struct setting setting = {.slots = 1, .transactions = 40};
    struct outcome with = {0};
    struct outcome without = {0};
    bool is_sound = true;
    for (uint64_t i = 0; i < histories; i++) {
        setting.leaves_out_deltas = false;
        is_sound = run_history(&setting, seed + i, &with, stderr) && is_sound;
        setting.leaves_out_deltas = true;
        is_sound = run_history(&setting, seed + i, &without, stderr) && is_sound;
    }
    report("alone", &with);
    report("alone, without deltas", &without);
    return is_sound && aborts_of(&with) == 0 && aborts_of(&without) > 0;
}

/* Histories with an obvious result. */
static bool checker_knows(const char *what, bool expected, struct committed *transactions,
                          size_t count)
{
    struct history history = {transactions, count, count};
    bool is_as_expected = is_serializable(&history, NULL) == expected;
    if (!is_as_expected) {
        fprintf(stderr, "the checker is wrong about: %s\n", what);
    }
    return is_as_expected;
}

#define READS(...) .reads = (struct access[]){__VA_ARGS__},                                       \
                   .read_count = COUNT(((struct access[]){__VA_ARGS__}))
#define WRITES(...) .writes = (struct access[]){__VA_ARGS__},                                     \
                    .write_count = COUNT(((struct access[]){__VA_ARGS__}))

static bool checker_is_right(void)
{
    struct committed in_turn[] = {
        {.number = 10, .session = 0, READS({1, 0}), WRITES({1, 0})},
        {.number = 20, .session = 1, READS({1, 10}, {2, 0}), WRITES({1, 10}, {2, 0})},
        {.number = 11, .session = 0, READS({1, 20}, {2, 20})},
    };
    struct committed lost_update[] = {
        {.number = 10, .session = 0, READS({1, 0}), WRITES({1, 0})},
        {.number = 20, .session = 1, READS({1, 0}), WRITES({1, 0})},
    };
    struct committed write_skew[] = {
        {.number = 10, .session = 0, READS({1, 0}, {2, 0}), WRITES({1, 0})},
        {.number = 20, .session = 1, READS({1, 0}, {2, 0}), WRITES({2, 0})},
    };
    struct committed torn_read[] = {
        {.number = 10, .session = 0, READS({1, 0}, {2, 0}), WRITES({1, 0}, {2, 0})},
        {.number = 20, .session = 1, READS({1, 10}, {2, 0})},
    };
    struct committed of_no_writer[] = {
        {.number = 20, .session = 1, READS({1, 10})},
    };
    struct committed into_the_past[] = {
        {.number = 10, .session = 0, READS({1, 0}), WRITES({1, 0})},
        {.number = 11, .session = 0, READS({1, 0})},
    };
    return checker_knows("one after the other", true, in_turn, COUNT(in_turn)) &&
           checker_knows("lost update", false, lost_update, COUNT(lost_update)) &&
           checker_knows("write skew", false, write_skew, COUNT(write_skew)) &&
           checker_knows("torn read", false, torn_read, COUNT(torn_read)) &&
           checker_knows("read of a version that no transaction wrote", false, of_no_writer, COUNT(of_no_writer)) &&
           checker_knows("read of a session's past", false, into_the_past, COUNT(into_the_past));
}

int main(int argc, char **argv)
{
    uint64_t histories = scaled(2000);
    uint64_t seed = 1;
    read_arguments(argc, argv, "HISTORIES", &histories, &seed);
    printf("seed %" PRIu64 "\n", seed);
    struct setting in_turns = {.transactions = 15};
    struct setting threads = {.slots = 3, .transactions = 300, .has_threads = true};
    bool passed = checker_is_right();
    passed = are_serializable("in turns", in_turns, histories, seed) && passed;
    passed = are_serializable("with threads", threads, histories / 40 + 1, seed) && passed;
    passed = node_sets_are_needed(300, seed) && passed;
    passed = deltas_are_needed(50, seed) && passed;
    if (!passed) {
        fprintf(stderr, "test_serializable: failed\n");
    }
    return passed ? 0 : 1;
}
