#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t result_of(int64_t result)
{
    return result < 0 ? -(int64_t)errno : result;
}

/* Counts a call; returns the error with which it fails, or 0. */
static int64_t fault(void *ctx, enum io_call call)
{
    struct faults *faults = ctx;
    size_t number = atomic_fetch_add(&faults->calls[call], 1) + 1;
    size_t fail_at = atomic_load(&faults->fail_at[call]);
    if (fail_at == 0 || number < fail_at ||
        (number > fail_at && !atomic_load(&faults->fail_on[call]))) {
        return 0;
    }
    return -atomic_load(&faults->error[call]);
}

#define RETURN_FAULT(ctx, call)                                                                   \
    do {                                                                                          \
        int64_t error = fault(ctx, call);                                                         \
        if (error != 0) {                                                                         \
            return error;                                                                         \
        }                                                                                         \
    } while (0)

static int64_t io_open(void *ctx, const char *path, uint32_t flags)
{
    RETURN_FAULT(ctx, IO_OPEN);
    int how = O_CLOEXEC | ((flags & MASSTREE_IO_WRITE) != 0 ? O_RDWR : O_RDONLY);
    how |= (flags & MASSTREE_IO_NEW) != 0 ? O_CREAT | O_EXCL : 0;
    how |= (flags & MASSTREE_IO_CREATE) != 0 ? O_CREAT : 0;
    return result_of(open(path, how, 0666));
}

static int64_t io_close(void *ctx, int64_t file)
{
    (void)ctx;
    return result_of(close((int)file));
}

/* Short reads and writes: the library goes on. */
static size_t shorter(size_t len)
{
    return len > 100 ? len - len / 3 : len;
}

static int64_t io_read_at(void *ctx, int64_t file, uint8_t *buffer, size_t len, uint64_t offset)
{
    RETURN_FAULT(ctx, IO_READ);
    return result_of(pread((int)file, buffer, shorter(len), (off_t)offset));
}

static int64_t io_write_at(void *ctx, int64_t file, const uint8_t *bytes, size_t len,
                           uint64_t offset)
{
    RETURN_FAULT(ctx, IO_WRITE);
    return result_of(pwrite((int)file, bytes, shorter(len), (off_t)offset));
}

static int64_t io_sync(void *ctx, int64_t file)
{
    struct faults *faults = ctx;
    pthread_mutex_lock(&faults->lock);
    while (faults->holds_syncs) {
        pthread_cond_wait(&faults->changed, &faults->lock);
    }
    pthread_mutex_unlock(&faults->lock);
    RETURN_FAULT(ctx, IO_SYNC);
    return result_of(fdatasync((int)file));
}

static int64_t io_sync_dir(void *ctx, const char *directory)
{
    RETURN_FAULT(ctx, IO_SYNC_DIR);
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int64_t result = file < 0 ? -errno : result_of(fsync(file));
    if (file >= 0) {
        close(file);
    }
    return result;
}

static int64_t io_preallocate(void *ctx, int64_t file, uint64_t offset, uint64_t len)
{
    RETURN_FAULT(ctx, IO_PREALLOCATE);
    return -(int64_t)posix_fallocate((int)file, (off_t)offset, (off_t)len);
}

static int64_t io_truncate(void *ctx, int64_t file, uint64_t len)
{
    RETURN_FAULT(ctx, IO_TRUNCATE);
    return result_of(ftruncate((int)file, (off_t)len));
}

static int64_t io_length(void *ctx, int64_t file)
{
    RETURN_FAULT(ctx, IO_LENGTH);
    struct stat found;
    int64_t result = result_of(fstat((int)file, &found));
    return result < 0 ? result : (int64_t)found.st_size;
}

static int64_t io_lock(void *ctx, int64_t file, int exclusive)
{
    RETURN_FAULT(ctx, IO_LOCK);
    return result_of(flock((int)file, LOCK_NB | (exclusive != 0 ? LOCK_EX : LOCK_SH)));
}

static int64_t io_rename(void *ctx, const char *from, const char *to)
{
    (void)ctx;
    return result_of(rename(from, to));
}

static int64_t io_unlink(void *ctx, const char *path)
{
    RETURN_FAULT(ctx, IO_UNLINK);
    return result_of(unlink(path));
}

static int64_t io_mkdir(void *ctx, const char *path)
{
    RETURN_FAULT(ctx, IO_MKDIR);
    return result_of(mkdir(path, 0777));
}

static int64_t io_list(void *ctx, const char *directory, masstree_found_name_t found,
                       void *argument)
{
    RETURN_FAULT(ctx, IO_LIST);
    DIR *open = opendir(directory);
    int64_t result = open == NULL ? -errno : 0;
    for (struct dirent *entry; result >= 0 && (entry = readdir(open)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            result = found(argument, entry->d_name, strlen(entry->d_name));
        }
    }
    if (open != NULL) {
        closedir(open);
    }
    return result;
}

void faults_start(struct faults *faults)
{
    *faults = (struct faults){
        .io = {faults, io_open, io_close, io_read_at, io_write_at, io_sync, io_sync_dir,
               io_preallocate, io_truncate, io_length, io_lock, io_rename, io_unlink, io_mkdir,
               io_list},
        .options = MASSTREE_STORE_OPTIONS_INIT,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
    };
    faults->options.io = &faults->io;
}

void faults_end(struct faults *faults)
{
    pthread_cond_destroy(&faults->changed);
    pthread_mutex_destroy(&faults->lock);
}

void fail_nth(struct faults *faults, enum io_call call, size_t n, int error)
{
    atomic_store(&faults->error[call], error);
    atomic_store(&faults->fail_on[call], false);
    atomic_store(&faults->fail_at[call], atomic_load(&faults->calls[call]) + n);
}

void fail_always(struct faults *faults, enum io_call call, int error)
{
    fail_nth(faults, call, 1, error);
    atomic_store(&faults->fail_on[call], true);
}

void fail_no_more(struct faults *faults, enum io_call call)
{
    atomic_store(&faults->fail_at[call], 0);
}

void hold_syncs(struct faults *faults, bool holds)
{
    pthread_mutex_lock(&faults->lock);
    faults->holds_syncs = holds;
    pthread_cond_broadcast(&faults->changed);
    pthread_mutex_unlock(&faults->lock);
}
