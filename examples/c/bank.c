/*
 * How do I change several keys at once, safely, from many threads?
 *
 * With transactions over a durable store: threads move money between accounts, and an audit reads all of them
 * meanwhile. The process is killed; whatever the next one finds, no money is lost.
 *
 * Prints:
 *     100 audits while money moves: each finds 1000 in 10 accounts
 *     bank: killed
 *     after the crash: 1000 in 10 accounts
 */
#define _POSIX_C_SOURCE 200809L
#include <masstree/store.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ACCOUNTS = 10, MONEY = 100, TELLERS = 3, AUDITS = 100, POOR = 1 };

static masstree_store_t *store;
static masstree_t *accounts;

static int32_t require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "bank: %s\n", masstree_strerror(status));
        exit(1);
    }
    return status;
}

static void open_bank(const char *directory)
{
    require(masstree_store_open(directory, NULL, &store));
    require(masstree_store_tree(store, "accounts", &accounts));
}

struct transfer {
    unsigned char from, to; /* the keys */
    int amount;
};

static int balance(masstree_txn_t *txn, const unsigned char *account)
{
    masstree_version_t version;
    int money = 0;
    if (require(masstree_txn_get(txn, accounts, account, 1, &version)) == MASSTREE_OK)
        memcpy(&money, version.value, sizeof money);
    return money;
}

/* Called again with a new snapshot if another commit has changed an account that it has read. */
static int32_t move(masstree_txn_t *txn, void *ctx)
{
    const struct transfer *transfer = ctx;
    int from = balance(txn, &transfer->from) - transfer->amount;
    int to = balance(txn, &transfer->to) + transfer->amount;
    if (from < 0)
        return POOR; /* nothing is changed; masstree_store_transact returns it */
    require(masstree_txn_put(txn, accounts, &transfer->from, 1, &from, sizeof from));
    return masstree_txn_put(txn, accounts, &transfer->to, 1, &to, sizeof to);
}

static void *work(void *ctx)
{
    unsigned seed = *(const unsigned *)ctx;
    while ((seed = seed * 1103515245 + 12345) != 0) { /* until the process is killed */
        struct transfer transfer = { seed >> 16 & 0xFF, 0, (int)(seed >> 24 & 31) };
        transfer.to = (transfer.from + 1 + (seed >> 8 & 7)) % ACCOUNTS;
        transfer.from %= ACCOUNTS;
        if (transfer.from != transfer.to)
            require(masstree_store_transact(store, NULL, move, &transfer, NULL));
    }
    return NULL;
}

static int32_t add(const void *key, size_t key_len, const masstree_version_t *version, void *ctx)
{
    int money, *sums = ctx;
    (void)key, (void)key_len;
    memcpy(&money, version->value, sizeof money);
    sums[0] += money;
    sums[1]++;
    return MASSTREE_VISIT_CONTINUE;
}

/* A read-only transaction sees all accounts at one moment, and is never refused. */
static void audit(int sums[2])
{
    masstree_txn_options_t options = MASSTREE_TXN_OPTIONS_INIT;
    masstree_txn_t *txn;
    options.isolation = MASSTREE_TXN_READ_ONLY;
    require(masstree_txn_begin(store, &options, &txn));
    sums[0] = sums[1] = 0;
    require(masstree_txn_scan(txn, accounts, NULL, add, sums, NULL));
    masstree_txn_destroy(txn);
}

static void run_and_crash(const char *directory)
{
    static unsigned seeds[TELLERS] = { 1, 2, 3 };
    int sums[2], right = 0, money = MONEY;
    uint64_t commit = 0;
    open_bank(directory);
    for (unsigned char account = 0; account < ACCOUNTS; account++)
        require(masstree_store_put(store, accounts, &account, 1, &money, sizeof money, &commit));
    require(masstree_store_wait(store, commit, MASSTREE_DURABLE));
    for (int i = 0; i < TELLERS; i++) {
        pthread_t teller;
        if (pthread_create(&teller, NULL, work, &seeds[i]) != 0)
            exit(1);
    }
    for (int i = 0; i < AUDITS; i++) {
        audit(sums);
        right += sums[0] == ACCOUNTS * MONEY && sums[1] == ACCOUNTS;
    }
    printf("%d audits while money moves: each finds %d in %d accounts\n", right, sums[0], sums[1]);
    fflush(stdout);
    raise(SIGKILL);
}

int main(void)
{
    char directory[] = "/tmp/bank.XXXXXX", command[64];
    int sums[2], ended;
    if (mkdtemp(directory) == NULL)
        return 1;
    pid_t bank = fork(); /* before the store is opened: a child cannot use its parent's */
    if (bank == 0)
        run_and_crash(directory);
    waitpid(bank, &ended, 0);
    printf("bank: %s\n", WIFSIGNALED(ended) ? "killed" : "ended");
    open_bank(directory);
    audit(sums);
    printf("after the crash: %d in %d accounts\n", sums[0], sums[1]);
    require(masstree_store_close(store));
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command) == 0 ? 0 : 1;
}
