#include "reclaim/objects.h"

void free_object(void *object, size_t bytes, void *ctx)
{
    struct object *freed = object;
    REQUIRE(freed->bytes == bytes);
    atomic_fetch_add(&freed->freed, 1);
    if (ctx != NULL) {
        atomic_fetch_add((atomic_size_t *)ctx, 1);
    }
}

struct object *new_objects(size_t count)
{
    struct object *objects = calloc(count, sizeof *objects);
    assert_non_null(objects);
    return objects;
}

size_t freed_of(struct object *objects, size_t count)
{
    size_t freed = 0;
    for (size_t i = 0; i < count; i++) {
        int times = atomic_load(&objects[i].freed);
        assert_in_range(times, 0, 1);
        freed += (size_t)times;
    }
    return freed;
}
