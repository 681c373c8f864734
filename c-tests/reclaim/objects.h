/* Shared by tests of memory reclamation: objects that notice that they are freed. */
#ifndef MASSTREE_TEST_OBJECTS_H
#define MASSTREE_TEST_OBJECTS_H

#include "support.h"

#include <stdatomic.h>

/* An object whose freeing sets a flag. */
struct object {
    atomic_int freed;
    size_t bytes; /* as passed to masstree_retire */
};

/* As masstree_retire calls it; also counts in ctx, an atomic_size_t, if that is not NULL. */
void free_object(void *object, size_t bytes, void *ctx);
struct object *new_objects(size_t count);
/* How many of them were freed, each once at most. */
size_t freed_of(struct object *objects, size_t count);

#endif
