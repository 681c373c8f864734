/* Notes each status that a test gets from the library, for the test `statuses`
   (statuses.sh): the macros of traced.h wrap the calls. Calls through a pointer are not
   noted, nor those written (masstree_scan)(...), for callbacks that return the number of
   a status which is not the library's own. */
#ifndef MASSTREE_TEST_NOTE_H
#define MASSTREE_TEST_NOTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "masstree/occ.h"
#include "masstree/store.h"

#include "traced.h" /* after the declarations */

/* The statuses that one function returned, near 0. Of other numbers, which callbacks returned,
   the last one is kept. */
#define NOTED_LEAST (-32)
#define NOTED_COUNT 64
struct noted {
    atomic_bool status[NOTED_COUNT]; /* of NOTED_LEAST + i */
    atomic_int other;                /* 0: none */
};
extern struct noted noted[TRACED_FUNCTIONS];

/* Writes only what is new: threads that make millions of calls share the table. */
static inline int32_t note_status(size_t function, int32_t status)
{
    size_t at = (size_t)((int64_t)status - NOTED_LEAST);
    if (at >= NOTED_COUNT) {
        atomic_store_explicit(&noted[function].other, status, memory_order_relaxed);
    } else if (!atomic_load_explicit(&noted[function].status[at], memory_order_relaxed)) {
        atomic_store_explicit(&noted[function].status[at], true, memory_order_relaxed);
    }
    return status;
}

/* Appends what was noted to the log of this process, in the directory that the environment
   variable MASSTREE_STATUS_LOGS names, if it is set. Runs automatically at exit; call it before
   _exit or abort. */
void flush_statuses(void);

#endif
