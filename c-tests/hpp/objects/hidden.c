/* A C program that hides symbols around the header. */
#pragma GCC visibility push(hidden)
#include <masstree/occ.h>
#pragma GCC visibility pop

int main(void)
{
    masstree_t *tree;
    int done = masstree_create(NULL, &tree) == MASSTREE_OK &&
               masstree_put(tree, NULL, "key", 3, 42) == MASSTREE_OK;
    masstree_destroy(tree);
    return done ? 0 : 1;
}
