/*
 * word_index: several threads count the words of real files in one masstree.
 *
 * `make demo` builds and runs it; manually, in the top directory:
 *
 *     cargo rustc --release --lib --crate-type cdylib,staticlib
 *     gcc -std=c11 -O2 -I include examples/c/word_index.c examples/c/word_input.c \
 *         target/release/libmasstree.a -pthread -o word_index
 *
 * The tree maps a word to a pointer to an entry with an atomic counter. A thread that reads a
 * word looks it up and increments its counter. If the word is new, the thread inserts an entry;
 * if another thread was faster, it frees its own entry and increments the existing one. The tree
 * owns the entries: its value destructor frees them in masstree_destroy. This file contains all
 * uses of the library; word_input.h declares options, files and words.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "masstree.h"
#include "word_input.h"

enum {
    WORDS_PER_REFRESH = 4096, /* words between two refreshes of a guard */
    SHOWN_BYTES = 40
};

/* Ends the program if the status is an error; returns other statuses. */
static int32_t require(int32_t status)
{
    if (status < 0)
        give_up(masstree_strerror(status));
    return status;
}

/* A word's entry; the tree's values point to these. */
struct entry {
    atomic_ullong count;
    size_t len;
    char word[]; /* ends with a zero byte */
};

static struct entry *entry_of(uint64_t value)
{
    return (struct entry *)(uintptr_t)value;
}

static struct entry *make_entry(const char *word, size_t len)
{
    struct entry *entry = allocated(malloc(sizeof *entry + len + 1));
    atomic_init(&entry->count, 1);
    entry->len = len;
    memcpy(entry->word, word, len);
    entry->word[len] = '\0';
    return entry;
}

/* The tree's value destructor. */
static void free_entry(uint64_t value, void *ctx)
{
    (void)ctx;
    free(entry_of(value));
}

static masstree_t *create_tree(void)
{
    masstree_t *tree;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_destructor = free_entry;
    require(masstree_create(&options, &tree));
    return tree;
}

/* State that the threads share. */
struct job {
    masstree_t *tree;
    struct input *input;
    atomic_ullong words;
};

/* State of one thread. */
struct worker {
    masstree_t *tree;
    masstree_guard_t *guard;
    unsigned long long words;
};

static void count_word(const char *word, size_t len, void *ctx)
{
    struct worker *worker = ctx;
    uint64_t present;
    if (++worker->words % WORDS_PER_REFRESH == 0)
        masstree_guard_refresh(worker->guard);
    int32_t status = require(masstree_get(worker->tree, worker->guard, word, len, &present));
    if (status == MASSTREE_NOT_FOUND) {
        struct entry *fresh = make_entry(word, len);
        status = require(masstree_insert(worker->tree, worker->guard, word, len,
                                         (uint64_t)(uintptr_t)fresh, &present));
        if (status == MASSTREE_OK)
            return; /* the tree owns the entry now */
        free(fresh);
    }
    /* Relaxed: the counts are read after the threads were joined. */
    atomic_fetch_add_explicit(&entry_of(present)->count, 1, memory_order_relaxed);
}

static void *index_pieces(void *ctx)
{
    struct job *job = ctx;
    struct worker worker = { .tree = job->tree };
    require(masstree_guard_enter(job->tree, &worker.guard));
    read_pieces(job->input, count_word, &worker);
    masstree_guard_leave(worker.guard);
    atomic_fetch_add(&job->words, worker.words);
    return NULL;
}

/* Runs all threads, this one included; returns their number. */
static size_t index_all(struct job *job, size_t threads)
{
    pthread_t *others = allocated(calloc(threads, sizeof *others));
    size_t started = 0;
    while (started + 1 < threads && pthread_create(&others[started], NULL, index_pieces, job) == 0)
        started++;
    if (started + 1 < threads)
        fprintf(stderr, "word_index: only %zu threads could be started\n", started + 1);
    index_pieces(job);
    for (size_t i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    free(others);
    return started + 1;
}

static void print_entry(const struct entry *entry)
{
    printf("%10llu  %.*s", atomic_load(&entry->count), SHOWN_BYTES, entry->word);
    if (entry->len > SHOWN_BYTES)
        printf("... (%zu bytes)", entry->len);
    putchar('\n');
}

struct ranking {
    struct entry **entries;
    size_t count, capacity;
};

static int32_t collect_entry(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct ranking *ranking = ctx;
    (void)key;
    (void)key_len;
    ranking->entries = grown(ranking->entries, &ranking->capacity, ranking->count + 1,
                             sizeof *ranking->entries);
    ranking->entries[ranking->count++] = entry_of(value);
    return MASSTREE_VISIT_CONTINUE;
}

static int more_frequent(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
    unsigned long long x_count = atomic_load(&x->count), y_count = atomic_load(&y->count);
    return x_count != y_count ? (x_count < y_count ? 1 : -1) : strcmp(x->word, y->word);
}

/* The guard protects the entries after the scan, while they are used. */
static void print_most_frequent(const masstree_t *tree, size_t top)
{
    struct ranking ranking = { .entries = NULL };
    masstree_guard_t *guard;
    require(masstree_guard_enter(tree, &guard));
    require(masstree_scan(tree, guard, NULL, collect_entry, &ranking, NULL));
    if (ranking.count > 0)
        qsort(ranking.entries, ranking.count, sizeof *ranking.entries, more_frequent);
    printf("\nMost frequent:\n");
    for (size_t i = 0; i < ranking.count && i < top; i++)
        print_entry(ranking.entries[i]);
    masstree_guard_leave(guard);
    free(ranking.entries);
}

struct listing {
    size_t limit;
    unsigned long long words, occurrences;
};

/* Prints the first words of a range, and counts all. */
static int32_t list_word(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct listing *listing = ctx;
    (void)key;
    (void)key_len;
    listing->occurrences += atomic_load(&entry_of(value)->count);
    if (listing->words++ < listing->limit || listing->limit == 0)
        print_entry(entry_of(value));
    return MASSTREE_VISIT_CONTINUE;
}

static void print_prefix(const masstree_t *tree, const char *prefix, size_t limit)
{
    struct listing listing = { .limit = limit };
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.prefix = prefix;
    range.prefix_len = strlen(prefix);
    printf("\nWords that begin with \"%s\":\n", prefix);
    require(masstree_scan(tree, NULL, &range, list_word, &listing, NULL));
    if (limit != 0 && listing.words > limit)
        printf("       ...  and %llu more\n", listing.words - limit);
    printf("%10llu  occurrences of %llu words\n", listing.occurrences, listing.words);
}

static void print_backwards(const masstree_t *tree, const char *from, const char *to, size_t limit)
{
    struct listing listing = { .limit = limit };
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.flags = MASSTREE_SCAN_REVERSE;
    range.limit = limit;
    range.upper = to;
    range.upper_len = strlen(to);
    range.upper_bound = MASSTREE_BOUND_INCLUSIVE;
    range.lower = from;
    range.lower_len = strlen(from);
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    printf("\nBackwards from \"%s\":\n", to);
    require(masstree_scan(tree, NULL, &range, list_word, &listing, NULL));
}

/* A position in the sorted words of a recount without tree and threads. */
struct recount {
    const struct word_list *sorted;
    size_t next;
};

/* Both are sorted, so the occurrences of each scanned word come next. */
static int32_t compare_count(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    struct recount *recount = ctx;
    const struct entry *entry = entry_of(value);
    unsigned long long found = 0;
    while (recount->next < recount->sorted->count &&
           strcmp(recount->sorted->words[recount->next], entry->word) == 0) {
        recount->next++;
        found++;
    }
    if (found == atomic_load(&entry->count) && key_len == entry->len &&
        memcmp(key, entry->word, key_len) == 0)
        return MASSTREE_VISIT_CONTINUE;
    printf("The recount found this %llu times:\n", found);
    print_entry(entry);
    return MASSTREE_CORRUPT; /* ends the scan, which returns it */
}

static void write_finding(const char *text, size_t len, void *ctx)
{
    fwrite(text, 1, len, ctx);
}

static void verify(const masstree_t *tree, const struct input *input)
{
    require(masstree_check(tree, NULL, write_finding, stderr));
    struct word_list sorted = sorted_words(input);
    struct recount recount = { .sorted = &sorted };
    require(masstree_scan(tree, NULL, NULL, compare_count, &recount, NULL));
    require(recount.next == sorted.count ? MASSTREE_OK : MASSTREE_CORRUPT);
    printf("\nverified: the tree is sound, and every count equals a single-threaded recount\n");
    free_word_list(&sorted);
}

static void print_totals(struct job *job, size_t threads, double elapsed)
{
    uint64_t distinct;
    unsigned long long bytes = atomic_load(&job->input->bytes_read);
    unsigned long long words = atomic_load(&job->words);
    require(masstree_len(job->tree, &distinct));
    printf("%zu files, %llu bytes, %llu words, %" PRIu64 " distinct\n", job->input->file_count,
           bytes, words, distinct);
    printf("%zu threads, %.3f s: %.0f words/s, %.1f MiB/s\n", threads, elapsed,
           (double)words / elapsed, (double)bytes / elapsed / 1048576);
}

/* A tree as a set: any bytes are a key, and the value is unused. */
static bool first_time(const void *file, size_t len, void *seen)
{
    return require(masstree_insert(seen, NULL, file, len, 0, NULL)) == MASSTREE_OK;
}

static void gather_input(struct input *input, const char *const *paths)
{
    masstree_t *seen;
    require(masstree_create(NULL, &seen));
    gather_files(input, paths, first_time, seen);
    masstree_destroy(seen);
}

static void index_and_report(struct input *input, const struct options *options)
{
    struct job job = { .tree = create_tree(), .input = input };
    atomic_init(&job.words, 0);
    begin_reading(input, options->progress);
    size_t threads = index_all(&job, options->threads);
    double elapsed = end_reading(input);
    print_totals(&job, threads, elapsed);
    print_most_frequent(job.tree, options->top);
    print_prefix(job.tree, options->prefix, options->limit);
    print_backwards(job.tree, options->from, options->to, options->limit);
    if (options->check)
        verify(job.tree, input);
    masstree_destroy(job.tree);
}

int main(int argc, char **argv)
{
    const struct options options = parse_options(argc, argv);
    struct input input = { .file_count = 0 };
    gather_input(&input, options.paths);
    if (input.file_count == 0)
        complain("no input", "there is no file to read");
    else
        index_and_report(&input, &options);
    free_input(&input);
    if (fflush(stdout) != 0 || ferror(stdout))
        complain("standard output", strerror(errno));
    return has_complained() ? 1 : 0;
}
