// A program for masstree-beta: it defines the epochs, in one of the two possible ways.
#include "check.hh"
#include "store.hh"

#ifdef RELAXED_GLOBALS
relaxed_atomic<mrcu_epoch_type> globalepoch{1};
relaxed_atomic<mrcu_epoch_type> active_epoch{1};
constexpr bool recovering = false;
#else
volatile mrcu_epoch_type globalepoch = 1;
volatile uint64_t active_epoch = 1;
volatile bool recovering = false;
#endif
kvepoch_t global_log_epoch = 0;
kvtimestamp_t initial_timestamp;

#include "test_cursor.cpp"
#include "test_names.cpp"
#include "test_occ.cpp"
#include "test_programs.cpp"
#include "test_rcu.cpp"
#include "test_scan.cpp"
#include "test_store.cpp"
#include "test_threads.cpp"

#include <string.h>

int elsewhere();

/** Runs every test, or those whose names contain the arguments. */
int main(int argc, char** argv)
{
    int run = 0;
    for (size_t i = 0; i != all_tests().size(); ++i) {
        const test& one = all_tests()[i];
        bool wanted = argc == 1;
        for (int a = 1; a < argc; ++a)
            wanted = wanted || strstr(one.name, argv[a]) != nullptr;
        if (!wanted)
            continue;
        printf("%s\n", one.name);
        fflush(stdout);
        one.run();
        ++run;
    }
    CHECK(elsewhere() == 2 && !recovering);
    printf("%d tests\n", run);
    return run == 0;
}
