// Look-ups and all other calls with a threadinfo that does not exist: `*ti`, with ti NULL. CCBench's
// cicada does this, whose worker threads never create one. They work as outside of a section, at
// each level of optimization: no_thread.sh.
//
// Put back: `&ti` in table_guard_of in place of address_of(ti).
#include "store.hh"

#include <thread>

volatile mrcu_epoch_type globalepoch = 1;
volatile mrcu_epoch_type active_epoch = 1;
volatile bool recovering = false;

typedef store<uint64_t*> pointers;

static uint64_t numbers[100];

static void check(bool condition, const char* what)
{
    if (!condition) {
        fprintf(stderr, "no_thread.cpp: %s\n", what);
        abort();
    }
}

static Masstree::Str key_of(int i, char (&text)[8])
{
    return Masstree::Str(text, snprintf(text, sizeof text, "%d", i));
}

static void work(pointers* tried)
{
    char text[8];
    check(pointers::ti == nullptr, "this thread has made a threadinfo");
    for (int i = 0; i != 100; ++i) {
        uint64_t* found = nullptr;
        const Masstree::Str key = key_of(i, text);
        check(tried->get(key, found) && found == &numbers[i], "find_unlocked");
        check(tried->table().get(key, found, *pointers::ti) && found == &numbers[i], "get");
    }
    uint64_t* found = nullptr;
    check(!tried->get("none", found), "find_unlocked of nothing");
    check(tried->update(key_of(7, text), &numbers[8]), "update");
    check(tried->get(key_of(7, text), found) && found == &numbers[8], "what was updated");
    check(tried->insert("new", &numbers[9]), "insert");
    check(tried->remove("new"), "remove");

    struct {
        int keys;
        void visit_leaf(const Masstree::scanstackelt<pointers::params>&,
            const Masstree::key<uint64_t>&, threadinfo&)
        {
        }
        bool visit_value(Masstree::Str, uint64_t*, threadinfo&)
        {
            ++keys;
            return true;
        }
    } scanner = {0};
    tried->table().scan("", true, scanner, *pointers::ti);
    tried->table().rscan("a", true, scanner, *pointers::ti);
    check(scanner.keys == 200, "scans");
    check(Masstree::json_stats(tried->table(), pointers::ti).unparse().length() > 0, "json_stats");
}

int main()
{
    pointers tried;
    char text[8];
    for (int i = 0; i != 100; ++i)
        tried.insert(key_of(i, text), &numbers[i]);
    // The first thread's section is unaffected.
    pointers::ti->rcu_start();
    std::thread other(work, &tried);
    other.join();
    pointers::ti->rcu_stop();
    return 0;
}
