/*
 * How do I find all words of a dictionary with a given prefix?
 *
 * With a tree of byte strings, which copies words and meanings, and a scan with a prefix.
 *
 * Prints:
 *     leaf: a node that holds keys
 *     leap: more than a step
 *     2 words begin with "lea", 5 there are
 */
#include <masstree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(int32_t status)
{
    if (status < 0) {
        fprintf(stderr, "prefix_search: %s\n", masstree_strerror(status));
        exit(1);
    }
}

static int32_t print_word(const void *word, size_t word_len, const void *meaning,
                          size_t meaning_len, void *ctx)
{
    (void)ctx;
    printf("%.*s: %.*s\n", (int)word_len, (const char *)word, (int)meaning_len,
           (const char *)meaning);
    return MASSTREE_VISIT_CONTINUE;
}

int main(void)
{
    static const char *const words[][2] = {
        { "tree", "what this is" },        { "leap", "more than a step" },
        { "lead", "a metal" },             { "leaf", "a node that holds keys" },
        { "layer", "a tree below a slice" }, { "let", "a verb" },
    };
    masstree_t *tree;
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.value_kind = MASSTREE_VALUES_BYTES;
    require(masstree_create(&options, &tree));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        require(masstree_put_bytes(tree, NULL, words[i][0], strlen(words[i][0]), words[i][1],
                                   strlen(words[i][1])));
    require(masstree_remove_bytes(tree, NULL, "lead", 4, NULL));

    size_t found;
    uint64_t all;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.prefix = "lea";
    range.prefix_len = 3;
    require(masstree_scan_bytes(tree, NULL, &range, print_word, NULL, &found));
    require(masstree_len(tree, &all));
    printf("%zu words begin with \"lea\", %d there are\n", found, (int)all);
    masstree_destroy(tree);
}
