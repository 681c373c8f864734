/* The C library's allocator, which fails on request: the lists of a store do not come from its
   allocator. */
#ifndef MASSTREE_TEST_NO_MEMORY_H
#define MASSTREE_TEST_NO_MEMORY_H

#include <stdbool.h>

/* Whether calls by this thread fail. */
extern _Thread_local bool no_memory;
/* Whether that works here: not under a sanitizer, which has an allocator of its own. */
bool no_memory_works(void);

#endif
