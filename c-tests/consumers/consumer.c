/* A C program that uses an installed libmasstree. */
#include <masstree.h>
#include <stdio.h>
#include <string.h>

static int32_t print(const void *key, size_t key_len, uint64_t value, void *ctx)
{
    (void)ctx;
    printf(" %.*s=%d", (int)key_len, (const char *)key, (int)value);
    return MASSTREE_VISIT_CONTINUE;
}

int main(void)
{
    static const char *const words[] = { "pear", "apple", "fig" };
    masstree_t *tree;
    if (masstree_abi_version() != MASSTREE_ABI_VERSION ||
        masstree_version_number() < MASSTREE_VERSION_NUMBER ||
        masstree_create(NULL, &tree) != MASSTREE_OK)
        return 1;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (masstree_put(tree, NULL, words[i], strlen(words[i]), i) != MASSTREE_OK)
            return 1;
    printf("masstree %s:", masstree_version_string());
    masstree_scan(tree, NULL, NULL, print, NULL, NULL);
    printf("\n");
    masstree_destroy(tree);
    return 0;
}
