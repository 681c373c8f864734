#include "stores.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void place_make(struct place *place)
{
    const char *temporary = getenv("TMPDIR");
    if (temporary == NULL || strlen(temporary) > 30) {
        temporary = "/tmp";
    }
    snprintf(place->parent, sizeof place->parent, "%s/masstree-store-XXXXXX", temporary);
    assert_non_null(mkdtemp(place->parent));
    snprintf(place->path, sizeof place->path, "%s/store", place->parent);
}

void place_remove(struct place *place)
{
    char path[512];
    DIR *directory = opendir(place->path);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", place->path, entry->d_name);
        if (entry->d_name[0] != '.') {
            assert_int_equal(0, unlink(path));
        }
    }
    if (directory != NULL) {
        closedir(directory);
        assert_int_equal(0, rmdir(place->path));
    }
    assert_int_equal(0, rmdir(place->parent));
}

void first_segment(const struct place *place, char *path, size_t size)
{
    DIR *directory = opendir(place->path);
    char first[256] = "~";
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strncmp(entry->d_name, "log-", 4) == 0 && strcmp(entry->d_name, first) < 0) {
            snprintf(first, sizeof first, "%s", entry->d_name);
        }
    }
    closedir(directory);
    assert_string_not_equal("~", first);
    snprintf(path, size, "%s/%s", place->path, first);
}

void flip(const char *path, uint64_t offset)
{
    unsigned char byte = 0;
    int file = open(path, O_RDWR);
    assert_true(file >= 0);
    assert_int_equal(1, pread(file, &byte, 1, (off_t)offset));
    byte ^= 1;
    assert_int_equal(1, pwrite(file, &byte, 1, (off_t)offset));
    close(file);
}

uint64_t file_size(const char *path)
{
    struct stat found;
    assert_int_equal(0, stat(path, &found));
    return (uint64_t)found.st_size;
}

masstree_store_t *open_store(const char *directory, const masstree_store_options_t *options)
{
    masstree_store_t *store = NULL;
    assert_ok(masstree_store_open(directory, options, &store));
    assert_non_null(store);
    return store;
}

void close_store(masstree_store_t *store)
{
    assert_ok(masstree_store_close(store));
}

masstree_t *tree_named(masstree_store_t *store, const char *name)
{
    masstree_t *tree = NULL;
    assert_ok(masstree_store_tree(store, name, &tree));
    assert_non_null(tree);
    return tree;
}

masstree_batch_t *new_batch(masstree_store_t *store)
{
    masstree_batch_t *batch = NULL;
    assert_ok(masstree_batch_create(store, &batch));
    assert_non_null(batch);
    return batch;
}

masstree_store_stats_t stats_of(const masstree_store_t *store)
{
    masstree_store_stats_t stats = MASSTREE_STORE_STATS_INIT;
    assert_ok(masstree_store_stats(store, &stats));
    assert_int_equal(sizeof stats, stats.struct_size);
    return stats;
}

uint64_t store_text(masstree_store_t *store, masstree_t *tree, const char *key, const char *value)
{
    uint64_t commit = 0;
    assert_ok(masstree_store_put(store, tree, key, strlen(key), value, strlen(value), &commit));
    assert_true(commit > 0);
    return commit;
}

uint64_t assert_value(const masstree_t *tree, const char *key, const char *value)
{
    masstree_version_t version;
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_get_at(tree, guard, key, strlen(key), MASSTREE_SEQNO_LATEST, &version));
    assert_slice(value, strlen(value), (masstree_slice_t){version.value, version.value_len});
    masstree_guard_leave(guard);
    return version.seqno;
}

void assert_no_value(const masstree_t *tree, const char *key)
{
    masstree_version_t version;
    masstree_guard_t *guard = new_guard(tree);
    int32_t status =
        masstree_get_at(tree, guard, key, strlen(key), MASSTREE_SEQNO_LATEST, &version);
    assert_true(status == MASSTREE_NOT_FOUND || status == MASSTREE_DELETED);
    masstree_guard_leave(guard);
}

static int32_t count_key(const void *key, size_t key_len, const masstree_version_t *version,
                         void *ctx)
{
    (void)key;
    (void)key_len;
    (void)version;
    ++*(uint64_t *)ctx;
    return MASSTREE_VISIT_CONTINUE;
}

uint64_t count_keys(const masstree_t *tree)
{
    uint64_t count = 0;
    masstree_guard_t *guard = new_guard(tree);
    assert_ok(masstree_scan_at(tree, guard, NULL, MASSTREE_SEQNO_LATEST, count_key, &count, NULL));
    masstree_guard_leave(guard);
    return count;
}

_Noreturn void become_writer(const char *first, const char *second, const char *third)
{
    const char *emulator = getenv("EMULATOR");
    char this[4096];
    ssize_t length = readlink("/proc/self/exe", this, sizeof this - 1);
    if (length > 0) {
        this[length] = '\0';
        if (emulator == NULL)
            execl(this, "writer", first, second, third, (char *)NULL);
        else
            execlp(emulator, emulator, "-0", "writer", this, first, second, third, (char *)NULL);
    }
    _exit(127);
}

_Noreturn void end_child(void)
{
    flush_statuses();
    _exit(0);
}

void assert_child_was_content(int child)
{
    int status = -1;
    assert_true(child > 0);
    assert_int_equal(child, waitpid(child, &status, 0));
    assert_true(WIFEXITED(status));
    assert_int_equal(0, WEXITSTATUS(status));
}
