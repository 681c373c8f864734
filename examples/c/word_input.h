/*
 * The parts of word_index that do not use the library: its options, its files, and the
 * words in them.
 */
#ifndef WORD_INPUT_H
#define WORD_INPUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct options {
    size_t threads;
    size_t top;               /* number of most frequent words to print */
    size_t limit;             /* number of words of a range to print; 0: all */
    const char *prefix;       /* prefix of the words to print forward */
    const char *from, *to;    /* bounds of the words to print in reverse */
    bool progress, check;
    const char *const *paths; /* files and directories to read, ended by NULL */
};

/* Ends the program if an option is invalid, and after --help. */
struct options parse_options(int argc, char **argv);

/* Prints an error to standard error; the program continues, but fails at the end. */
void complain(const char *what, const char *why);
bool has_complained(void);

/* Prints an error to standard error and ends the program at once. */
_Noreturn void give_up(const char *why);

/* Returns `memory`; ends the program if it is NULL. */
void *allocated(void *memory);

/* Returns `array` with room for at least `needed` items, reallocated if necessary. */
void *grown(void *array, size_t *capacity, size_t needed, size_t item_bytes);

/* The files to read, split into pieces, and the progress of reading. */
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

/* Returns false if it was called before for the file that these bytes identify. */
typedef bool (*first_time_fn)(const void *file, size_t len, void *ctx);

/* Finds the files to read in `paths`, each once. */
void gather_files(struct input *input, const char *const *paths, first_time_fn first_time,
                  void *ctx);
void free_input(struct input *input);

/* Receives a word in lower case, without zero bytes. */
typedef void (*word_fn)(const char *word, size_t len, void *ctx);

/*
 * Threads that call read_pieces share the input: each emits the words of one piece
 * after the other, until none is left. One thread calls begin_reading before and
 * end_reading afterwards, which returns the seconds in between.
 */
void begin_reading(struct input *input, bool shows_progress);
void read_pieces(struct input *input, word_fn emit, void *ctx);
double end_reading(struct input *input);

/* Every occurrence of every word, in the order of strcmp. */
struct word_list {
    char **words;
    size_t count, text_len, text_capacity;
    char *text; /* the words in the order of the input, each ended by a zero byte */
};

/* Reads all files again, on this thread alone and not in pieces. */
struct word_list sorted_words(const struct input *input);
void free_word_list(struct word_list *list);

#endif
