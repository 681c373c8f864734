/*
 * What listings and scans read ahead: entries in C memory, which one call fills.
 */
#ifndef PAGES_H
#define PAGES_H

#include <masstree/store.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_ENTRIES = 64 };

/* Entries: for each an entry_t, its key, its value, and a gap up to a multiple of 8 bytes.
   Common prefixes have no value. */
typedef struct {
    size_t key_len;
    size_t value_len;
    uint64_t version; /* 0: a common prefix */
    size_t next;      /* bytes to the next entry */
} entry_t;

typedef struct {
    char *bytes;
    size_t len;
    size_t room;
} page_t;

static inline int32_t page_add(page_t *page, entry_t entry, const void *key, const void *value)
{
    entry.next = (sizeof entry + entry.key_len + entry.value_len + 7) / 8 * 8;
    size_t needed = page->len + entry.next;
    if (needed > page->room) {
        char *bytes = realloc(page->bytes, 2 * needed);
        if (bytes == NULL)
            return MASSTREE_NOMEM;
        page->bytes = bytes;
        page->room = 2 * needed;
    }
    char *to = page->bytes + page->len;
    memcpy(to, &entry, sizeof entry);
    memcpy(to + sizeof entry, key, entry.key_len);
    if (entry.value_len > 0)
        memcpy(to + sizeof entry + entry.key_len, value, entry.value_len);
    page->len = needed;
    return MASSTREE_VISIT_CONTINUE;
}

static inline int32_t page_key(const void *key, size_t key_len, const masstree_version_t *version,
                               void *page)
{
    entry_t entry = { key_len, version->value_len, version->seqno, 0 };
    return page_add(page, entry, key, version->value);
}

static inline int32_t page_prefix(const void *prefix, size_t prefix_len, void *page)
{
    entry_t entry = { prefix_len, 0, 0, 0 };
    return page_add(page, entry, prefix, NULL);
}

#endif
