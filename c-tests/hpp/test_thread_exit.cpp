// Threads that use the library for the first time in the destructor of a thread_local object: the
// library's and the C library's memory for a thread is freed (known-failures row 38).
// test_thread_exit.c does the same for destructors of pthread_key_create.
#include "support.hpp"

#include <malloc.h>

namespace {

masstree::tree<int> *visited;

struct visit_at_exit {
    bool wanted = false;
    ~visit_at_exit()
    {
        for (int call = 0; wanted && call < 5; call++) {
            visited->put("at exit", call);
            if (visited->get("at exit") != call || !visited->remove("at exit")) {
                std::abort();
            }
        }
    }
};

thread_local visit_at_exit at_exit;

void run_threads(int count)
{
    for (int i = 0; i < count; i++) {
        std::thread([] { at_exit.wanted = true; }).join();
    }
}

// Allocated bytes.
std::size_t allocated()
{
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

// Some hundred bytes for each thread would be a megabyte. Put back: never return the thread's
// number, as with mem::forget(self.collector.enter_owned()) in enter_local_slow.
TEST(thread_exit, first_call_in_the_destructor_of_a_thread_local_leaves_nothing_behind)
{
    masstree::tree<int> tree;
    visited = &tree;
    run_threads(100);
    const std::size_t at_first = allocated();
    run_threads(3000);
    const std::size_t at_last = allocated();
    EXPECT_LT(at_last, at_first + 100000);
    EXPECT_TRUE(tree.empty());
}

}
