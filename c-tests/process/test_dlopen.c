/* The library is loaded, used and closed at run time, also by threads that end after it was
   closed: their thread-local data has destructors in the library, which therefore stays loaded
   (known-failures row 19). The argument is the library's path. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "masstree.h"

#define REQUIRE(condition)                                                                        \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "%s:%d: required: %s\n", __FILE__, __LINE__, #condition);             \
            abort();                                                                              \
        }                                                                                         \
    } while (0)

struct loaded {
    void *library;
    int32_t (*create)(const masstree_options_t *, masstree_t **);
    int32_t (*put_u64)(masstree_t *, masstree_guard_t *, uint64_t, uint64_t);
    int32_t (*remove_u64)(masstree_t *, masstree_guard_t *, uint64_t, uint64_t *);
    void (*destroy)(masstree_t *);
    masstree_t *tree;
    pthread_barrier_t used;
    pthread_barrier_t closed;
};

/* POSIX: the address of a function fits an object pointer. */
static void find(void *library, const char *name, void *function)
{
    *(void **)function = dlsym(library, name);
    REQUIRE(*(void **)function != NULL);
}

static void load(struct loaded *loaded, const char *path)
{
    loaded->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (loaded->library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        abort();
    }
    find(loaded->library, "masstree_create", &loaded->create);
    find(loaded->library, "masstree_put_u64", &loaded->put_u64);
    find(loaded->library, "masstree_remove_u64", &loaded->remove_u64);
    find(loaded->library, "masstree_destroy", &loaded->destroy);
}

/* Uses the library, and ends only after it was closed. */
static void *outlive(void *arg)
{
    struct loaded *loaded = arg;
    REQUIRE(loaded->create(NULL, &loaded->tree) == MASSTREE_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        REQUIRE(loaded->put_u64(loaded->tree, NULL, i, i) == MASSTREE_OK);
    }
    for (uint64_t i = 0; i < 1000; i += 2) {
        REQUIRE(loaded->remove_u64(loaded->tree, NULL, i, NULL) == MASSTREE_OK);
    }
    loaded->destroy(loaded->tree);
    pthread_barrier_wait(&loaded->used);
    pthread_barrier_wait(&loaded->closed);
    return NULL;
}

/* The first thread makes no calls: its thread-local data would keep the library loaded in any
   case. */
static void load_use_and_close(const char *path)
{
    struct loaded loaded;
    pthread_t thread;
    load(&loaded, path);
    REQUIRE(pthread_barrier_init(&loaded.used, NULL, 2) == 0);
    REQUIRE(pthread_barrier_init(&loaded.closed, NULL, 2) == 0);
    REQUIRE(pthread_create(&thread, NULL, outlive, &loaded) == 0);
    pthread_barrier_wait(&loaded.used);
    REQUIRE(dlclose(loaded.library) == 0);
    pthread_barrier_wait(&loaded.closed);
    REQUIRE(pthread_join(thread, NULL) == 0);
    pthread_barrier_destroy(&loaded.used);
    pthread_barrier_destroy(&loaded.closed);
}

/* Opens and closes it without other threads, when only the library itself keeps it loaded. */
static void expect_that_it_stays(const char *path)
{
    struct loaded loaded;
    load(&loaded, path);
    REQUIRE(dlclose(loaded.library) == 0);
    void *again = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    REQUIRE(again != NULL);
    REQUIRE(dlclose(again) == 0);
}

enum { LOADERS = 3, TURNS = 100 };

static void *load_over_and_over(void *path)
{
    for (unsigned turn = 0; turn < TURNS; turn++) {
        load_use_and_close(path);
    }
    return NULL;
}

/* Some threads close it while others open it, use it, and end. */
static void load_from_several_threads(char *path)
{
    pthread_t threads[LOADERS];
    for (unsigned i = 0; i < LOADERS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, load_over_and_over, path) == 0);
    }
    for (unsigned i = 0; i < LOADERS; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s LIBRARY\n", argv[0]);
        return 2;
    }
    /* If the program were linked to the library, closing would unload nothing. */
    REQUIRE(dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == NULL);
    for (unsigned turn = 0; turn < 3; turn++) {
        load_use_and_close(argv[1]);
        expect_that_it_stays(argv[1]);
    }
    load_from_several_threads(argv[1]);
    expect_that_it_stays(argv[1]);
    return 0;
}
