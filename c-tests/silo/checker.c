#include "checker.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

static void *allocated(void *memory)
{
    if (memory == NULL) {
        perror("checker");
        abort();
    }
    return memory;
}

static struct access *copy_of(const struct access *accesses, size_t count)
{
    struct access *copy = allocated(calloc(count + 1, sizeof *copy));
    for (size_t i = 0; i < count; i++) {
        copy[i] = accesses[i];
    }
    return copy;
}

static struct committed *append(struct history *history)
{
    if (history->count == history->capacity) {
        history->capacity = 2 * history->capacity + 16;
        history->transactions =
            allocated(realloc(history->transactions,
                              history->capacity * sizeof history->transactions[0]));
    }
    return &history->transactions[history->count++];
}

void history_add(struct history *history, const struct committed *transaction)
{
    struct committed *copy = append(history);
    *copy = *transaction;
    copy->reads = copy_of(transaction->reads, transaction->read_count);
    copy->writes = copy_of(transaction->writes, transaction->write_count);
}

void history_clear(struct history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        free(history->transactions[i].reads);
        free(history->transactions[i].writes);
    }
    free(history->transactions);
    *history = (struct history){NULL, 0, 0};
}

void history_take(struct history *history, struct history *other)
{
    for (size_t i = 0; i < other->count; i++) {
        *append(history) = other->transactions[i];
    }
    free(other->transactions);
    *other = (struct history){NULL, 0, 0};
}

/* A version of a key: its writer, and the writer of the next one; indices in the history. */
struct version {
    uint32_t key;
    uint64_t number;
    size_t writer; /* NONE: the initial state */
    size_t next;
};

struct graph {
    const struct history *history;
    FILE *out;
    struct version *versions; /* sorted */
    size_t version_count;
    struct edge {
        size_t from, to;
    } *edges;
    size_t edge_count;
    size_t edge_capacity;
};

static void complain(const struct graph *graph, const char *what, uint64_t number, uint32_t key)
{
    if (graph->out != NULL) {
        fprintf(graph->out, "transaction %" PRIu64 ", key %" PRIu32 ": %s\n", number, key, what);
    }
}

static int compare_versions(const void *left, const void *right)
{
    const struct version *a = left;
    const struct version *b = right;
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

/* NULL: no committed transaction wrote such a version. */
static struct version *find(const struct graph *graph, uint32_t key, uint64_t number)
{
    struct version wanted = {.key = key, .number = number};
    return bsearch(&wanted, graph->versions, graph->version_count, sizeof wanted,
                   compare_versions);
}

/* All versions that were written, and the initial ones. */
static void list_versions(struct graph *graph)
{
    const struct history *history = graph->history;
    size_t most = 0;
    for (size_t i = 0; i < history->count; i++) {
        most += 2 * history->transactions[i].write_count + history->transactions[i].read_count;
    }
    graph->versions = allocated(calloc(most + 1, sizeof graph->versions[0]));
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct committed *transaction = &history->transactions[i];
        for (size_t j = 0; j < transaction->write_count; j++) {
            const struct access *write = &transaction->writes[j];
            graph->versions[count++] = (struct version){write->key, transaction->number, i, NONE};
            graph->versions[count++] = (struct version){write->key, 0, NONE, NONE};
        }
        for (size_t j = 0; j < transaction->read_count; j++) {
            graph->versions[count++] =
                (struct version){transaction->reads[j].key, 0, NONE, NONE};
        }
    }
    qsort(graph->versions, count, sizeof graph->versions[0], compare_versions);
    for (size_t i = 0; i < count; i++) {
        size_t last = graph->version_count;
        if (last == 0 || compare_versions(&graph->versions[last - 1], &graph->versions[i]) != 0) {
            graph->versions[graph->version_count++] = graph->versions[i];
        }
    }
}

static void connect(struct graph *graph, size_t from, size_t to)
{
    if (from == NONE || to == NONE || from == to) {
        return;
    }
    if (graph->edge_count == graph->edge_capacity) {
        graph->edge_capacity = 2 * graph->edge_capacity + 64;
        graph->edges =
            allocated(realloc(graph->edges, graph->edge_capacity * sizeof graph->edges[0]));
    }
    graph->edges[graph->edge_count++] = (struct edge){from, to};
}

/* The chain of each key's versions; false if they form none. */
static bool chain_versions(struct graph *graph)
{
    bool is_sound = true;
    for (size_t i = 0; i < graph->history->count; i++) {
        const struct committed *transaction = &graph->history->transactions[i];
        for (size_t j = 0; j < transaction->write_count; j++) {
            const struct access *write = &transaction->writes[j];
            struct version *before = find(graph, write->key, write->version);
            if (before == NULL) {
                complain(graph, "follows a version that no transaction wrote", transaction->number, write->key);
                is_sound = false;
            } else if (before->next != NONE) {
                complain(graph, "follows a version that another follows", transaction->number,
                         write->key);
                is_sound = false;
            } else {
                before->next = i;
                connect(graph, before->writer, i);
            }
        }
    }
    return is_sound;
}

static bool connect_reads(struct graph *graph)
{
    bool is_sound = true;
    for (size_t i = 0; i < graph->history->count; i++) {
        const struct committed *transaction = &graph->history->transactions[i];
        for (size_t j = 0; j < transaction->read_count; j++) {
            const struct access *read = &transaction->reads[j];
            const struct version *version = find(graph, read->key, read->version);
            if (version == NULL) {
                complain(graph, "reads a version that no transaction wrote", transaction->number, read->key);
                is_sound = false;
                continue;
            }
            connect(graph, version->writer, i);
            connect(graph, i, version->next);
        }
    }
    return is_sound;
}

static void connect_sessions(struct graph *graph)
{
    const struct history *history = graph->history;
    uint32_t sessions = 0;
    for (size_t i = 0; i < history->count; i++) {
        uint32_t session = history->transactions[i].session;
        sessions = session >= sessions ? session + 1 : sessions;
    }
    size_t *last = allocated(calloc(sessions + 1, sizeof *last));
    for (uint32_t session = 0; session < sessions; session++) {
        last[session] = NONE;
    }
    for (size_t i = 0; i < history->count; i++) {
        size_t *before = &last[history->transactions[i].session];
        connect(graph, *before, i);
        *before = i;
    }
    free(last);
}

static int compare_edges(const void *left, const void *right)
{
    const struct edge *a = left;
    const struct edge *b = right;
    return a->from < b->from ? -1 : a->from > b->from;
}

/* Removes transactions without predecessors, until none is left; the remaining ones are on a
   cycle, or after one. */
static bool has_an_order(struct graph *graph)
{
    size_t count = graph->history->count;
    size_t *first = allocated(calloc(count + 2, sizeof *first));
    size_t *before = allocated(calloc(count + 1, sizeof *before));
    size_t *ready = allocated(calloc(count + 1, sizeof *ready));
    size_t ready_count = 0;
    size_t done = 0;
    if (graph->edge_count > 0) {
        qsort(graph->edges, graph->edge_count, sizeof graph->edges[0], compare_edges);
    }
    for (size_t i = 0; i < graph->edge_count; i++) {
        before[graph->edges[i].to]++;
        first[graph->edges[i].from + 1] = i + 1;
    }
    for (size_t i = 0; i < count; i++) {
        first[i + 1] = first[i + 1] > first[i] ? first[i + 1] : first[i];
        if (before[i] == 0) {
            ready[ready_count++] = i;
        }
    }
    while (done < ready_count) {
        size_t now = ready[done++];
        for (size_t i = first[now]; i < first[now + 1]; i++) {
            if (--before[graph->edges[i].to] == 0) {
                ready[ready_count++] = graph->edges[i].to;
            }
        }
    }
    for (size_t i = 0; i < count && graph->out != NULL && done < count; i++) {
        if (before[i] > 0) {
            fprintf(graph->out, "transaction %" PRIu64 " is on a cycle, or behind one\n",
                    graph->history->transactions[i].number);
        }
    }
    free(first);
    free(before);
    free(ready);
    return done == count;
}

bool is_serializable(const struct history *history, FILE *out)
{
    struct graph graph = {.history = history, .out = out};
    list_versions(&graph);
    bool is_sound = chain_versions(&graph);
    is_sound = connect_reads(&graph) && is_sound;
    connect_sessions(&graph);
    is_sound = is_sound && has_an_order(&graph);
    free(graph.versions);
    free(graph.edges);
    return is_sound;
}
