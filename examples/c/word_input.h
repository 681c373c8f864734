/*
 * What word_index needs beside the tree: its options, its files, and the words in
 * them. Nothing here knows the library.
 */
#ifndef WORD_INPUT_H
#define WORD_INPUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct options {
    size_t threads;
    size_t top;               /* how many of the most frequent words to show */
    size_t limit;             /* how many words of a range to show; 0: all */
    const char *prefix;       /* the words to show forward begin with this */
    const char *from, *to;    /* those to show backwards lie between these */
    bool progress, check;
    const char *const *paths; /* files and directories to read; NULL ends them */
};

/* Ends the program if an option is bad, and after --help. */
struct options parse_options(int argc, char **argv);

/* Says what went wrong on standard error; the program goes on, but fails in the end. */
void complain(const char *what, const char *why);
bool has_complained(void);

/* Says why on standard error and ends the program, whatever other threads do. */
_Noreturn void give_up(const char *why);

/* `memory`, unless it is NULL: then the program gives up. */
void *allocated(void *memory);

/* `array`, moved if need be, with room for at least `needed` items. */
void *grown(void *array, size_t *capacity, size_t needed, size_t item_bytes);

/* The files to read, cut into pieces, and how far reading has come. */
struct input {
    struct piece *pieces;
    size_t piece_count, piece_capacity, file_count;
    off_t bytes;
    bool shows_progress;
    double started;
    atomic_size_t next_piece;
    atomic_ullong bytes_read;
    atomic_llong progress_due;
};

/* Answers false if it was called before for the file that these bytes stand for. */
typedef bool (*first_time_fn)(const void *file, size_t len, void *ctx);

/* Finds the files of `paths` that are to be read, each once. */
void gather_files(struct input *input, const char *const *paths, first_time_fn first_time,
                  void *ctx);
void free_input(struct input *input);

/* Receives a word, folded to lower case; no byte of it is zero. */
typedef void (*word_fn)(const char *word, size_t len, void *ctx);

/*
 * Threads that call read_pieces share the input out among them: each emits the words
 * of one piece after the other, until none is left. Before and after, one thread
 * calls begin_reading and end_reading, which answers the seconds in between.
 */
void begin_reading(struct input *input, bool shows_progress);
void read_pieces(struct input *input, word_fn emit, void *ctx);
double end_reading(struct input *input);

/* Every occurrence of every word, in the order of strcmp. */
struct word_list {
    char **words;
    size_t count, text_len, text_capacity;
    char *text; /* the words in the order of the input, each with a zero byte after it */
};

/* Reads all files once more, by this thread alone and not in pieces. */
struct word_list sorted_words(const struct input *input);
void free_word_list(struct word_list *list);

#endif
