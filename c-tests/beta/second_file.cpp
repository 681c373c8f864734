// Another file of the same program: other headers, in another order, and the program's globals
// declared again.
#include "masstree_scan.hh"
#include "masstree_split.hh"
#include "masstree_stats.hh"
#include "kvthread.hh"

#ifndef RELAXED_GLOBALS
extern volatile mrcu_epoch_type globalepoch;
extern volatile uint64_t active_epoch;
extern volatile bool recovering;
#endif

int elsewhere();

namespace {
struct params : public Masstree::nodeparams<> {
    typedef uint32_t value_type;
    typedef threadinfo threadinfo_type;
};
} // namespace

int elsewhere()
{
    threadinfo* ti = threadinfo::make(threadinfo::TI_PROCESS, 2);
    Masstree::basic_table<params> table;
    table.initialize(*ti);
    Masstree::tcursor<params> lp(table, "key");
    lp.find_insert(*ti);
    lp.value() = 2;
    lp.finish(1, *ti);
    uint32_t value = 0;
    const bool found = table.get("key", value, *ti);
    table.destroy(*ti);
    return found ? static_cast<int>(value) : 0;
}
