/*
 * How do I keep the names of an object store, so that a crash loses nothing?
 *
 * With a durable store: put if absent, rename, list with a delimiter. The process that writes is killed, and the
 * next one opens what it has left.
 *
 * Prints:
 *     logs/1 exists
 *     writer: killed
 *     photos/2026/
 *     photos/a.jpg (6 bytes)
 *     photos/d.jpg (6 bytes)
 */
#define _POSIX_C_SOURCE 200809L
#include <masstree/store.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "object_table: %s\n", masstree_strerror(status));
        exit(1);
    }
}

static masstree_store_t *open_table(const char *directory, masstree_t **objects)
{
    masstree_store_t *store;
    require(masstree_store_open(directory, NULL, &store));
    require(masstree_store_tree(store, "objects", objects));
    return store;
}

static void write_and_crash(const char *directory)
{
    static const char *const names[] = { "logs/1", "photos/a.jpg", "photos/2026/b.jpg",
                                         "photos/2026/c.jpg", "upload-7", "logs/1" };
    masstree_t *objects;
    uint64_t commit;
    masstree_store_t *store = open_table(directory, &objects);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int32_t status = masstree_store_insert(store, objects, names[i], strlen(names[i]), "size=1",
                                               6, NULL);
        require(status);
        if (status == MASSTREE_EXISTS)
            printf("%s exists\n", names[i]);
    }
    fflush(stdout);
    require(masstree_store_rename(store, objects, "upload-7", 8, "photos/d.jpg", 12, 0, &commit));
    /* Survives a loss of power from here on. */
    require(masstree_store_wait(store, commit, MASSTREE_DURABLE));
    raise(SIGKILL);
}

static int32_t show_key(const void *key, size_t key_len, const masstree_version_t *version, void *ctx)
{
    (void)ctx;
    printf("%.*s (%zu bytes)\n", (int)key_len, (const char *)key, version->value_len);
    return MASSTREE_VISIT_CONTINUE;
}

static int32_t show_prefix(const void *prefix, size_t prefix_len, void *ctx)
{
    (void)ctx;
    printf("%.*s\n", (int)prefix_len, (const char *)prefix);
    return MASSTREE_VISIT_CONTINUE;
}

int main(void)
{
    char directory[] = "/tmp/object_table.XXXXXX", command[64];
    if (mkdtemp(directory) == NULL)
        return 1;
    pid_t writer = fork(); /* before the store is opened: a child cannot use its parent's */
    if (writer == 0)
        write_and_crash(directory);
    int ended;
    waitpid(writer, &ended, 0);
    printf("writer: %s\n", WIFSIGNALED(ended) ? "killed" : "ended");

    masstree_t *objects;
    masstree_store_t *store = open_table(directory, &objects);
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.prefix = "photos/";
    range.prefix_len = 7;
    require(masstree_scan_delimited_at(objects, NULL, &range, MASSTREE_SEQNO_LATEST, "/", 1, show_key,
                                       show_prefix, NULL, NULL));
    require(masstree_store_close(store));
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command) == 0 ? 0 : 1;
}
