/* A step of the soak test that makes any call of support/calls.c, so that no function is left out:
   on a tree of its own, with few keys, about which nothing is known. */
#include "soak.h"

#include "calls.h"

static bool is(const struct call *call, const char *name)
{
    return strcmp(call->name, name) == 0;
}

/* Ends what the call began. */
static void end_call(struct soak_worker *worker, const struct call *call, struct arguments *a)
{
    if (is(call, "hold")) {
        int32_t action = (int32_t)random_below(&worker->random, 3);
        EXPECT(worker, masstree_held_finish(&a->out.held, action, 1, NULL) >= MASSTREE_OK);
    } else if (is(call, "cursor_open") || is(call, "cursor_open_in")) {
        masstree_cursor_close(a->out.cursor);
    } else if (is(call, "loader_open")) {
        masstree_loader_close(a->out.loader);
    } else if (is(call, "guard_enter")) {
        masstree_guard_leave(a->out.guard);
    }
}

/* Functions that other steps call: a check would find what other threads are changing, a barrier
   would wait for their guards, and what frees a retired object is called after this step. */
static bool has_own_step(const struct call *call)
{
    return is(call, "check") || is(call, "barrier") || is(call, "retire");
}

void soak_call(struct soak_worker *worker)
{
    const struct call *call = &calls[random_below(&worker->random, call_count)];
    if (call->values == (worker->soak->holds_bytes ? VALUES_WORDS : VALUES_BYTES) ||
        call->values == VALUES_VERSIONED || has_own_step(call)) {
        return;
    }
    unsigned char key[FAMILY_KEY_MAX];
    struct arguments a = {.tree = worker->soak->called, .key = key};
    enum family family = (enum family)random_below(&worker->random, FAMILIES);
    a.key_len = family_key(family, random_below(&worker->random, 200), key);
    masstree_guard_t *guard = NULL;
    EXPECT(worker, masstree_guard_enter(a.tree, &guard) == MASSTREE_OK);
    bool needs = (call->takes & NEEDS_GUARD) != 0;
    a.guard = needs || random_below(&worker->random, 2) == 0 ? guard : NULL;
    if ((call->takes & TAKES_CURSOR) != 0) {
        EXPECT(worker, masstree_cursor_open(a.tree, a.guard, &a.cursor) == MASSTREE_OK);
        EXPECT(worker, masstree_cursor_seek(a.cursor, key, a.key_len, MASSTREE_SEEK_GE) >= 0);
    }
    EXPECT(worker, call->run(&a) >= MASSTREE_OK);
    end_call(worker, call, &a);
    masstree_cursor_close(a.cursor);
    masstree_guard_leave(guard);
}
