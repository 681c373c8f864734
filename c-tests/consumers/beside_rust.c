/* A program that links libmasstree.a and another Rust static library. */
#include <masstree.h>
#include <stdio.h>

uint64_t other_sum(uint64_t n);

int main(void)
{
    masstree_t *tree;
    uint64_t sum;
    if (masstree_create(NULL, &tree) != MASSTREE_OK ||
        masstree_put(tree, NULL, "sum", 3, other_sum(100)) != MASSTREE_OK ||
        masstree_get(tree, NULL, "sum", 3, &sum) != MASSTREE_OK)
        return 1;
    /* 10 numbers of one digit, 90 of two, one panic that was caught */
    printf("sum=%d\n", (int)sum);
    masstree_destroy(tree);
    return sum == 10 + 2 * 90 + 1 ? 0 : 1;
}
