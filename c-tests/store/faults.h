/* The file operations of POSIX, as a table of a store's, that fail or wait on request. */
#ifndef MASSTREE_TEST_STORE_FAULTS_H
#define MASSTREE_TEST_STORE_FAULTS_H

#include "stores.h"

#include <stdatomic.h>

enum io_call {
    IO_OPEN,
    IO_READ,
    IO_WRITE,
    IO_SYNC,
    IO_SYNC_DIR,
    IO_PREALLOCATE,
    IO_TRUNCATE,
    IO_LENGTH,
    IO_LOCK,
    IO_UNLINK,
    IO_MKDIR,
    IO_LIST,
    IO_CALLS
};

struct faults {
    masstree_io_t io;
    masstree_store_options_t options; /* with this table */
    atomic_size_t calls[IO_CALLS];
    atomic_size_t fail_at[IO_CALLS]; /* the number of the call that fails, from 1 on; 0: none */
    atomic_bool fail_on[IO_CALLS];   /* ... and every call after it */
    atomic_int error[IO_CALLS];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool holds_syncs;
};
void faults_start(struct faults *faults);
void faults_end(struct faults *faults);
/* The n-th call from now on fails. */
void fail_nth(struct faults *faults, enum io_call call, size_t n, int error);
/* All calls fail from now on. */
void fail_always(struct faults *faults, enum io_call call, int error);
void fail_no_more(struct faults *faults, enum io_call call);
/* Whether syncs wait. */
void hold_syncs(struct faults *faults, bool holds);

#endif
