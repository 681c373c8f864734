#include "no_memory.h"

#include <stddef.h>
#include <stdlib.h>

_Thread_local bool no_memory;

bool no_memory_works(void)
{
    void *(*volatile allocate)(size_t) = malloc;
    no_memory = true;
    void *memory = allocate(1);
    no_memory = false;
    free(memory);
    return memory == NULL;
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void *__libc_malloc(size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    return no_memory ? NULL : __libc_malloc(size);
}

void *realloc(void *memory, size_t size)
{
    return no_memory ? NULL : __libc_realloc(memory, size);
}
#endif
