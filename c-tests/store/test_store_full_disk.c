/* A store on a file system of 8 MiB that fills up: writes are refused and change nothing, reads go on; when
   there is room again, writes work, and the next opening finds everything. Known failure 60.

   Needs root, and to mount a tmpfs; without them it is skipped.

   Put back: in `Flusher::make_room`, return an error for `NoRoom::Full`. */
#include "stores.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

enum { SKIPPED = 77, LENGTH = 4000, MOST = 4000 };

static struct place place;
static masstree_store_t *store;
static masstree_t *tree;

static void open_here(void)
{
    masstree_store_options_t options = MASSTREE_STORE_OPTIONS_INIT;
    options.log_buffer_bytes = 1 << 16;
    store = open_store(place.path, &options);
    tree = tree_named(store, "tree");
}

/* Fills the disk, but for `left` bytes. */
static void fill_disk(size_t left)
{
    static char zeros[1 << 12];
    char path[96];
    snprintf(path, sizeof path, "%s/ballast", place.parent);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(file >= 0);
    ssize_t written = 0;
    off_t length = 0;
    while ((written = write(file, zeros, sizeof zeros)) > 0) {
        length += written;
    }
    assert_int_equal(ENOSPC, errno);
    assert_true(length >= (off_t)left);
    assert_int_equal(0, ftruncate(file, length - (off_t)left));
    close(file);
}

static void free_disk(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/ballast", place.parent);
    assert_int_equal(0, unlink(path));
}

static int32_t put(size_t key)
{
    char text[24], value[LENGTH];
    memset(value, (int)('a' + key % 26), sizeof value);
    int len = snprintf(text, sizeof text, "%zu", key);
    return masstree_store_put(store, tree, text, (size_t)len, value, sizeof value, NULL);
}

/* Puts keys from `from` on until the disk is full; returns the first that was refused. */
static size_t put_until_full(size_t from)
{
    for (size_t key = from; key < MOST; key++) {
        int32_t status = put(key);
        if (status == MASSTREE_FULL) {
            return key;
        }
        assert_ok(status);
    }
    fail_msg("the disk is never full");
    return 0;
}

static void a_full_disk_refuses_and_works_again(void **state)
{
    (void)state;
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    open_here();
    fill_disk(2 << 20);
    size_t count = put_until_full(0);
    assert_true(count > 100);
    for (int round = 0; round < 20; round++) {
        assert_status(MASSTREE_FULL, put(count));
    }
    assert_int_equal(count, count_keys(tree));
    /* What was taken fits: it becomes durable on the full disk. */
    assert_ok(masstree_store_sync(store));
    assert_ok(masstree_store_failure(store, &failure));
    free_disk();
    for (size_t key = count; key < count + 100; key++) {
        assert_ok(put(key));
    }
    assert_ok(masstree_store_sync(store));
    assert_int_equal(count + 100, count_keys(tree));
    close_store(store);
    /* Opened on a full disk, it can be read. */
    fill_disk(0);
    open_here();
    assert_int_equal(count + 100, count_keys(tree));
    assert_status(MASSTREE_FULL, put(count + 100));
    free_disk();
    assert_ok(put(count + 100));
    close_store(store);
    open_here();
    assert_int_equal(count + 101, count_keys(tree));
    close_store(store);
}

static bool mount_small(void)
{
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", place.parent, "tmpfs", 0, "size=8m") == 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_full_disk_refuses_and_works_again)};
    place_make(&place);
    if (!mount_small()) {
        printf("skipped: mounting a tmpfs is not possible here\n");
        return SKIPPED;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed == 0) {
        assert_int_equal(0, umount2(place.parent, MNT_DETACH));
        assert_int_equal(0, rmdir(place.parent));
    }
    return failed;
}
