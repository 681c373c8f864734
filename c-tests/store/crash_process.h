/* The processes of a test that crashes: the one that checks starts itself again, as the one that writes. */
#ifndef MASSTREE_TEST_CRASH_PROCESS_H
#define MASSTREE_TEST_CRASH_PROCESS_H

#include "crash_journal.h"

#include <sys/types.h>

struct crash_arguments {
    uint64_t rounds;
    uint64_t seed;
};

/* Reads [-n ROUNDS] [-s SEED]. In the writing process it writes, and does not return. */
void crash_arguments(int argc, char **argv, struct crash_arguments *arguments);
/* A new process, which inherits nothing of this one's library. */
pid_t crash_start_writer(const char *journal, const char *directory, uint64_t seed);
/* Waits until the writer has begun an operation, or has ended. */
void crash_await_begin(struct crash_journal *journal, pid_t writer);
void crash_wait_us(uint64_t us);

#endif
