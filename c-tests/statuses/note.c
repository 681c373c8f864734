#include "note.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct noted noted[TRACED_FUNCTIONS];

static const char *const names[TRACED_FUNCTIONS] = {TRACED_NAMES};

static void write_statuses(FILE *log)
{
    for (size_t i = 0; i < TRACED_FUNCTIONS; i++) {
        for (int32_t at = 0; at < NOTED_COUNT; at++) {
            if (atomic_load(&noted[i].status[at])) {
                fprintf(log, "%s %d\n", names[i], NOTED_LEAST + at);
            }
        }
        int other = atomic_load(&noted[i].other);
        if (other != 0) {
            fprintf(log, "%s %d\n", names[i], other);
        }
    }
}

/* Appends: a process number may be reused. */
void flush_statuses(void)
{
    const char *directory = getenv("MASSTREE_STATUS_LOGS");
    char path[4096];
    if (directory == NULL) {
        return;
    }
    snprintf(path, sizeof path, "%s/%ld", directory, (long)getpid());
    FILE *log = fopen(path, "a");
    if (log == NULL) {
        perror(path);
        abort();
    }
    write_statuses(log);
    fclose(log);
}

__attribute__((destructor)) static void flush_at_exit(void)
{
    flush_statuses();
}
