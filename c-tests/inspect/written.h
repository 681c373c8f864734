/* Shared by tests of functions that write text. */
#ifndef MASSTREE_TEST_WRITTEN_H
#define MASSTREE_TEST_WRITTEN_H

#include "support.h"

/* All text that was written. */
struct written {
    char *text;
    size_t len;
};

/* A masstree_text_sink_t, whose context is a struct written. */
void append_text(const char *text, size_t len, void *ctx);

#endif
