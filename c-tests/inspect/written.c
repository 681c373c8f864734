#include "inspect/written.h"

void append_text(const char *text, size_t len, void *ctx)
{
    struct written *written = ctx;
    char *longer = realloc(written->text, written->len + len + 1);
    assert_non_null(longer);
    memcpy(longer + written->len, text, len);
    written->text = longer;
    written->len += len;
    longer[written->len] = 0;
}
