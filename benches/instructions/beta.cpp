/*
 * One kind of operation on a table of 200,000 8-byte keys, by a program for masstree-beta compiled over
 * include/masstree_beta, for a tool that counts instructions: see count.sh. Keys are a random
 * permutation, unless the name says sequential, and have 100 bytes if it says long. The program is in
 * a section, unless the name says outside.
 *
 * usage: beta PHASE      (beta-get, beta-insert, beta-insert-outside, beta-insert-sequential, …)
 */
#include "masstree.hh"
#include "kvthread.hh"
#include "masstree_get.hh"
#include "masstree_insert.hh"
#include "masstree_remove.hh"
#include "masstree_tcursor.hh"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

enum { KEYS = 200000, LONG = 100 };

struct params : public Masstree::nodeparams<15, 15> {
    typedef uint64_t value_type;
    typedef threadinfo threadinfo_type;
};
typedef Masstree::tcursor<params> cursor;

static char keys[KEYS][8];
static char long_keys[KEYS][LONG];
static Masstree::basic_table<params> table;
static threadinfo *ti;

static void require(bool holds)
{
    if (!holds) {
        fputs("beta: a call failed\n", stderr);
        exit(1);
    }
}

static void make_keys(bool sequential)
{
    uint64_t made = 0;
    for (uint64_t i = 0; made < KEYS; i++) {
        const uint64_t number = sequential ? i : (i * UINT64_C(0x9e3779b1) + 12345) & 0x3ffff;
        if (number < KEYS) {
            masstree_u64_to_key(number, reinterpret_cast<unsigned char *>(long_keys[made]));
            masstree_u64_to_key(number, reinterpret_cast<unsigned char *>(keys[made++]));
        }
    }
}

template <int Length>
static void set_all(char (*of)[Length], uint64_t more)
{
    for (uint64_t i = 0; i < KEYS; i++) {
        cursor lp(table, of[i], Length);
        lp.find_insert(*ti);
        lp.value() = i + more;
        lp.finish(1, *ti);
    }
}

static void insert_all()
{
    set_all(keys, 1);
}

static void insert_long()
{
    set_all(long_keys, 1);
}

static void update_all()
{
    set_all(keys, 2);
}

static void remove_all()
{
    for (uint64_t i = 0; i < KEYS; i++) {
        cursor lp(table, keys[i], 8);
        require(lp.find_locked(*ti));
        lp.finish(-1, *ti);
    }
}

static void get_all()
{
    for (uint64_t i = 0; i < KEYS; i++) {
        Masstree::unlocked_tcursor<params> lp(table, keys[i], 8);
        require(lp.find_unlocked(*ti));
    }
}

/* Counting begins and ends here. */
extern "C" __attribute__((noinline)) void counted(void (*run)())
{
    run();
    __asm__ volatile("" : : : "memory");
}

int main(int argc, char **argv)
{
    require(argc == 2);
    const char *const phase = argv[1];
    const bool outside = strstr(phase, "-outside") != nullptr;
    ti = threadinfo::make(threadinfo::TI_MAIN, -1);
    table.initialize(*ti);
    make_keys(strstr(phase, "-sequential") != nullptr);
    if (!outside)
        ti->rcu_start();
    if (strncmp(phase, "beta-insert", 11) == 0) {
        counted(strstr(phase, "-long") != nullptr ? insert_long : insert_all);
    } else {
        insert_all();
        if (strncmp(phase, "beta-update", 11) == 0)
            counted(update_all);
        else if (strncmp(phase, "beta-remove", 11) == 0)
            counted(remove_all);
        else
            counted(get_all);
    }
    if (!outside)
        ti->rcu_stop();
    table.destroy(*ti);
    return 0;
}
