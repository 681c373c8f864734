// A program for masstree-beta that uses an installed libmasstree: with masstree-beta's headers on
// the include path, or, with VENDORED, in a subdirectory of the program.
#ifdef VENDORED
#include "masstree-beta/config.h"
#include "masstree-beta/kvthread.hh"
#include "masstree-beta/masstree_insert.hh"
#include "masstree-beta/masstree_print.hh"
#include "masstree-beta/masstree_scan.hh"
#else
#include "config.h"
#include "kvthread.hh"
#include "masstree_insert.hh"
#include "masstree_print.hh"
#include "masstree_scan.hh"
#endif

#include <iostream>
#include <thread>

volatile mrcu_epoch_type globalepoch = 1;
volatile mrcu_epoch_type active_epoch = 1;
volatile bool recovering = false;

namespace {

struct params : public Masstree::nodeparams<15, 15> {
    typedef uint64_t value_type;
    typedef Masstree::value_print<value_type> value_print_type;
    typedef threadinfo threadinfo_type;
};
typedef Masstree::basic_table<params> table_type;

void put(table_type& table, Masstree::Str key, uint64_t value, threadinfo& ti)
{
    Masstree::tcursor<params> lp(table, key);
    lp.find_insert(ti);
    lp.value() = value;
    lp.finish(1, ti);
}

struct printer {
    template <typename SS, typename K>
    void visit_leaf(const SS&, const K&, threadinfo&)
    {
    }
    bool visit_value(Masstree::Str key, uint64_t value, threadinfo&)
    {
        std::cout << ' ' << key << '=' << value;
        return true;
    }
};

} // namespace

int main()
{
    threadinfo* ti = threadinfo::make(threadinfo::TI_MAIN, -1);
    table_type table;
    table.initialize(*ti);
    std::thread other([&table] {
        put(table, "pear", 3, *threadinfo::make(threadinfo::TI_PROCESS, 0));
    });
    put(table, "apple", 1, *ti);
    put(table, "fig", 2, *ti);
    other.join();
    std::cout << "masstree " << masstree_version_string() << ':';
    printer scanner;
    table.scan("", true, scanner, *ti);
    std::cout << std::endl;
    table.destroy(*ti);
}
