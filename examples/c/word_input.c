/* Options, files and words of word_index. */
#define _XOPEN_SOURCE 700

#include "word_input.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 256 * 1024, /* a thread processes one piece at a time */
    BLOCK_BYTES = 32 * 1024,  /* it reads one block at a time */
    MAX_THREADS = 1024,
    PROGRESS_MS = 200
};

static atomic_bool complained;

void complain(const char *what, const char *why)
{
    fprintf(stderr, "word_index: %s: %s\n", what, why);
    atomic_store(&complained, true);
}

bool has_complained(void)
{
    return atomic_load(&complained);
}

void give_up(const char *why)
{
    complain("giving up", why);
    fflush(stdout);
    _exit(1);
}

void *allocated(void *memory)
{
    if (memory == NULL)
        give_up("out of memory");
    return memory;
}

void *grown(void *array, size_t *capacity, size_t needed, size_t item_bytes)
{
    if (needed <= *capacity)
        return array;
    *capacity = needed + needed / 2 + 64;
    return allocated(realloc(array, *capacity * item_bytes));
}

/* The byte in lower case if it is part of words, otherwise 0. */
static unsigned char fold(unsigned char byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (unsigned char)(byte - 'A' + 'a');
    bool plain = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte >= 0x80;
    return plain ? byte : 0;
}

static void print_help(void)
{
    puts("Usage: word_index [OPTION]... [FILE OR DIRECTORY]...\n"
         "Count the words of files with several threads in one masstree, then query it.\n"
         "Without a file, read the licences under /usr/share/common-licenses. Directories\n"
         "are walked, links to files followed; a file with several names is read once.\n"
         "\n"
         "A word is a run of ASCII letters, digits and bytes from 0x80 up (UTF-8), with\n"
         "single apostrophes inside. ASCII letters are folded to lower case.\n"
         "\n"
         "  -t, --threads N  number of threads (default: processors online)\n"
         "      --top N      show the N most frequent words (default: 10)\n"
         "      --prefix P   show the words that begin with P (default: licen)\n"
         "      --to W       show words backwards, W first (default: wz)\n"
         "      --from W     show words backwards, W last (default: the empty word)\n"
         "      --limit N    show at most N words of either (default: 10; 0: all)\n"
         "      --progress   show progress even if standard error is not a terminal\n"
         "      --check      verify the tree and every count; prints \"verified\"\n"
         "  -h, --help       show this help\n"
         "\n"
         "Exit status: 0; 1 if an input could not be read or something is wrong; 2 for a\n"
         "bad option.");
}

static _Noreturn void usage_error(void)
{
    fputs("Try 'word_index --help'.\n", stderr);
    exit(2);
}

static size_t number(const char *option, const char *text, size_t least, size_t most)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < least || value > most) {
        fprintf(stderr, "word_index: --%s is a number from %zu to %zu, not '%s'\n", option, least,
                most, text);
        usage_error();
    }
    return (size_t)value;
}

static char *folded_word(char *word)
{
    for (char *at = word; *at != '\0'; at++)
        *at = fold((unsigned char)*at) == 0 ? *at : (char)fold((unsigned char)*at);
    return word;
}

static struct options default_options(void)
{
    static const char *const licences[] = { "/usr/share/common-licenses", NULL };
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return (struct options){
        .threads = online < 1 ? 1 : online > MAX_THREADS ? MAX_THREADS : (size_t)online,
        .top = 10,
        .limit = 10,
        .prefix = "licen",
        .from = "",
        .to = "wz",
        .progress = isatty(STDERR_FILENO),
        .paths = licences,
    };
}

struct options parse_options(int argc, char **argv)
{
    enum { TOP = 256, PREFIX, FROM, TO, LIMIT, PROGRESS, CHECK };
    static const struct option known[] = {
        { "threads", required_argument, NULL, 't' }, { "top", required_argument, NULL, TOP },
        { "prefix", required_argument, NULL, PREFIX }, { "from", required_argument, NULL, FROM },
        { "to", required_argument, NULL, TO }, { "limit", required_argument, NULL, LIMIT },
        { "progress", no_argument, NULL, PROGRESS }, { "check", no_argument, NULL, CHECK },
        { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
    };
    struct options options = default_options();
    int option;
    while ((option = getopt_long(argc, argv, "t:h", known, NULL)) != -1) {
        switch (option) {
        case 't': options.threads = number("threads", optarg, 1, MAX_THREADS); break;
        case TOP: options.top = number("top", optarg, 0, SIZE_MAX); break;
        case PREFIX: options.prefix = folded_word(optarg); break;
        case FROM: options.from = folded_word(optarg); break;
        case TO: options.to = folded_word(optarg); break;
        case LIMIT: options.limit = number("limit", optarg, 0, SIZE_MAX); break;
        case PROGRESS: options.progress = true; break;
        case CHECK: options.check = true; break;
        case 'h': print_help(); exit(0);
        default: usage_error();
        }
    }
    if (strcmp(options.from, options.to) > 0) {
        fprintf(stderr, "word_index: --from '%s' comes after --to '%s'\n", options.from,
                options.to);
        usage_error();
    }
    if (optind < argc)
        options.paths = (const char *const *)(argv + optind);
    return options;
}

/* A part of a file; the parts of one file are adjacent and share its path. */
struct piece {
    char *path;
    off_t begin, end;
};

/* The state of visit_path, to which nftw passes no context. */
static struct {
    struct input *input;
    first_time_fn first_time;
    void *ctx;
} gathering;

static void add_file(const char *path, const struct stat *info)
{
    struct input *input = gathering.input;
    uint64_t file[2] = { (uint64_t)info->st_dev, (uint64_t)info->st_ino };
    if (!gathering.first_time(file, sizeof file, gathering.ctx))
        return;
    if (access(path, R_OK) != 0) {
        complain(path, strerror(errno));
        return;
    }
    input->file_count++;
    input->bytes += info->st_size;
    char *copy = info->st_size == 0 ? NULL : allocated(strdup(path));
    for (off_t begin = 0; begin < info->st_size; begin += PIECE_BYTES) {
        off_t rest = info->st_size - begin;
        off_t end = begin + (rest < PIECE_BYTES ? rest : PIECE_BYTES);
        input->pieces = grown(input->pieces, &input->piece_capacity, input->piece_count + 1,
                              sizeof *input->pieces);
        input->pieces[input->piece_count++] = (struct piece){ copy, begin, end };
    }
}

/* nftw does not follow links; this follows links to files. */
static int visit_path(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    struct stat target = *info;
    if (type == FTW_DNR || type == FTW_NS || (type == FTW_SL && stat(path, &target) != 0))
        complain(path, strerror(errno));
    else if (S_ISREG(target.st_mode))
        add_file(path, &target);
    else if (type == FTW_F && walk->level == 0)
        complain(path, "not a regular file or a directory");
    return 0;
}

void gather_files(struct input *input, const char *const *paths, first_time_fn first_time,
                  void *ctx)
{
    gathering.input = input;
    gathering.first_time = first_time;
    gathering.ctx = ctx;
    for (; *paths != NULL; paths++) {
        char *resolved = realpath(*paths, NULL);
        if (resolved == NULL || nftw(resolved, visit_path, 32, FTW_PHYS) != 0)
            complain(*paths, strerror(errno));
        free(resolved);
    }
}

void free_input(struct input *input)
{
    for (size_t i = 0; i < input->piece_count; i++)
        if (input->pieces[i].begin == 0)
            free(input->pieces[i].path);
    free(input->pieces);
}

/* Splits a piece of text into words and passes each to `emit`. */
struct splitter {
    word_fn emit;
    void *ctx;
    off_t begin;
    char *word;
    size_t len, capacity;
    bool inside;     /* within a word */
    bool ours;       /* the word begins within the piece */
    bool apostrophe; /* the last byte was one; part of the word if a letter follows */
};

static void end_word(struct splitter *s)
{
    if (s->inside && s->ours)
        s->emit(s->word, s->len, s->ctx);
    s->inside = s->apostrophe = false;
}

static void feed(struct splitter *s, unsigned char byte, off_t at)
{
    unsigned char folded = fold(byte);
    if (folded == 0 && byte == '\'' && s->inside && !s->apostrophe) {
        s->apostrophe = true;
        return;
    }
    if (folded == 0) {
        end_word(s);
        return;
    }
    if (!s->inside) {
        s->inside = true;
        s->ours = at >= s->begin;
        s->len = 0;
    }
    if (s->ours) {
        s->word = grown(s->word, &s->capacity, s->len + 2, 1);
        if (s->apostrophe)
            s->word[s->len++] = '\'';
        s->word[s->len++] = (char)folded;
    }
    s->apostrophe = false;
}

/*
 * Emits every word that begins within the piece, even if it ends beyond. The two
 * bytes before the piece show whether a word continues into it ("n'" before "t").
 */
static void split_words(const struct piece *piece, word_fn emit, void *ctx)
{
    struct splitter s = { .emit = emit, .ctx = ctx, .begin = piece->begin };
    unsigned char block[BLOCK_BYTES];
    int file = open(piece->path, O_RDONLY | O_CLOEXEC);
    off_t at = piece->begin < 2 ? 0 : piece->begin - 2;
    ssize_t got = 0;
    bool done = false;
    while (file >= 0 && !done && (got = pread(file, block, sizeof block, at)) > 0) {
        for (ssize_t i = 0; i < got && !done; i++, at++) {
            done = at >= piece->end && !(s.inside && s.ours);
            if (!done)
                feed(&s, block[i], at);
        }
    }
    if (file < 0 || got < 0)
        complain(piece->path, strerror(errno));
    if (file >= 0)
        close(file);
    end_word(&s);
    free(s.word);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_progress(struct input *input, char end)
{
    double read = (double)atomic_load(&input->bytes_read), bytes = (double)input->bytes;
    fprintf(stderr, "word_index: %3.0f %%, %.1f of %.1f MiB%c",
            bytes > 0 ? 100 * read / bytes : 100, read / 1048576, bytes / 1048576, end);
}

/* The first thread that finds it is time prints the progress. */
static void maybe_print_progress(struct input *input)
{
    long long now = (long long)((seconds() - input->started) * 1000);
    long long due = atomic_load(&input->progress_due);
    if (now >= due && atomic_compare_exchange_strong(&input->progress_due, &due, now + PROGRESS_MS))
        print_progress(input, '\r');
}

void begin_reading(struct input *input, bool shows_progress)
{
    input->shows_progress = shows_progress;
    atomic_init(&input->next_piece, 0);
    atomic_init(&input->bytes_read, 0);
    atomic_init(&input->progress_due, PROGRESS_MS);
    input->started = seconds();
}

void read_pieces(struct input *input, word_fn emit, void *ctx)
{
    size_t next;
    while ((next = atomic_fetch_add(&input->next_piece, 1)) < input->piece_count) {
        const struct piece *piece = &input->pieces[next];
        split_words(piece, emit, ctx);
        atomic_fetch_add(&input->bytes_read, (unsigned long long)(piece->end - piece->begin));
        if (input->shows_progress)
            maybe_print_progress(input);
    }
}

double end_reading(struct input *input)
{
    if (input->shows_progress)
        print_progress(input, '\n');
    return seconds() - input->started;
}

static void keep_word(const char *word, size_t len, void *ctx)
{
    struct word_list *list = ctx;
    list->text = grown(list->text, &list->text_capacity, list->text_len + len + 1, 1);
    memcpy(list->text + list->text_len, word, len);
    list->text[list->text_len + len] = '\0';
    list->text_len += len + 1;
    list->count++;
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct word_list sorted_words(const struct input *input)
{
    struct word_list list = { .count = 0 };
    for (size_t i = 0; i < input->piece_count; i++) {
        struct piece whole = input->pieces[i];
        while (i + 1 < input->piece_count && input->pieces[i + 1].path == whole.path)
            whole.end = input->pieces[++i].end;
        split_words(&whole, keep_word, &list);
    }
    list.words = allocated(calloc(list.count + 1, sizeof *list.words));
    char *word = list.text;
    for (size_t i = 0; i < list.count; i++, word += strlen(word) + 1)
        list.words[i] = word;
    qsort(list.words, list.count, sizeof *list.words, compare_words);
    return list;
}

void free_word_list(struct word_list *list)
{
    free(list->words);
    free(list->text);
}
