// One program with two libraries, see two_libraries.sh: this file includes these headers, foreign.cpp
// others with the same names, and both have a class of parameters of the same name.

// Before everything else, as some programs do.
class threadinfo;
threadinfo* caller_thread();

#include "kvthread.hh"
#include "masstree.hh"
#include "masstree_insert.hh"
#include "masstree_stats.hh"

// And after it.
class threadinfo;
namespace lcdf {
class Json;
} // namespace lcdf
namespace Masstree {
template <typename P> class basic_table;
} // namespace Masstree

struct params : public Masstree::nodeparams<15, 15> {
    typedef uint64_t value_type;
    typedef threadinfo threadinfo_type;
};

uint64_t theirs();

threadinfo* caller_thread()
{
    return threadinfo::make(threadinfo::TI_PROCESS, 7);
}

static uint64_t ours()
{
    threadinfo* ti = caller_thread();
    Masstree::basic_table<params> table;
    table.initialize(*ti);
    ti->rcu_start();
    uint64_t sum = static_cast<uint64_t>(ti->purpose() + ti->index());
    const char* const keys[] = {"one", "two", "three"};
    for (const char* key : keys) {
        Masstree::tcursor<params> lp(table, key);
        if (!lp.find_insert(*ti))
            lp.value() = 100;
        fence();
        lp.finish(1, *ti);
    }
    for (const char* key : keys) {
        uint64_t value = 0;
        if (table.get(key, value, *ti))
            sum += value;
    }
    ti->rcu_stop();
    table.destroy(*ti);
    return sum;
}

int main()
{
    const uint64_t here = ours();
    const uint64_t there = theirs();
    printf("%" PRIu64 " and %" PRIu64 "\n", here, there);
    return here == 308 && there == 308 ? 0 : 1;
}
