// The memtable with the memory that it needs, and what a test reads of one.
#ifndef MASSTREE_ROCKSDB_TESTS_TABLES_H
#define MASSTREE_ROCKSDB_TESTS_TABLES_H

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "rep.h"
#include "support.h"

namespace masstree_rocksdb::tests {

using ROCKSDB_NAMESPACE::KeyHandle;
using ROCKSDB_NAMESPACE::LookupKey;

inline masstree_t *NewTree()
{
    masstree_t *tree;
    EXPECT_EQ(masstree_rocksdb::CreateTree(&tree), MASSTREE_OK);
    return tree;
}

// A memtable with the memory that it needs.
struct Ours {
    Arena arena;
    Rep rep{&arena, NewTree()};
};

// An entry as text, to compare those of two memtables.
inline std::string Text(const char *entry)
{
    const VersionKey key = KeyOf(entry);
    return key.user_key.ToString(true) + "@" + std::to_string(key.number) + "=" + ValueOf(entry);
}

struct Collected {
    std::string user_key;
    size_t most;
    std::vector<std::string> texts;
};

// As RocksDB's callback: ends at another key.
inline bool Collect(void *arg, const char *entry)
{
    auto *collected = static_cast<Collected *>(arg);
    if (KeyOf(entry).user_key != Slice(collected->user_key) || collected->most-- == 0)
        return false;
    collected->texts.push_back(Text(entry));
    return true;
}

inline std::vector<std::string> Got(MemTableRep *rep, const std::string &key, uint64_t number, size_t most)
{
    Collected collected{key, most, {}};
    const LookupKey lookup(key, number);
    rep->Get(lookup, &collected, Collect);
    return collected.texts;
}

} // namespace masstree_rocksdb::tests

#endif
