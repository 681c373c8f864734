#include "private.h"

#include <cstring>

// The virtual functions of MemTable::KeyComparator in librocksdb. Weak: a build of RocksDB that hides
// it gets skip lists.
extern "C" const void *const masstree_rocksdb_key_comparator[] __asm__(
    "_ZTVN7rocksdb8MemTable13KeyComparatorE") __attribute__((weak, visibility("default")));

namespace masstree_rocksdb {

namespace {

// MemTable::KeyComparator in db/memtable.h: its only member is an InternalKeyComparator, whose only
// member is a UserComparatorWrapper, whose only member is the pointer.
struct KeyComparatorLayout {
    const void *const *functions;
    const void *const *internal_key_functions;
    const ROCKSDB_NAMESPACE::Comparator *user_comparator;
};

// A table of virtual functions begins with an offset and a type.
constexpr size_t kFirstFunction = 2;

} // namespace

const ROCKSDB_NAMESPACE::Comparator *
UserComparatorOf(const ROCKSDB_NAMESPACE::MemTableRep::KeyComparator &comparator)
{
    KeyComparatorLayout layout;
    // The object may be smaller than the layout: first only the pointer to its functions.
    std::memcpy(&layout.functions, static_cast<const void *>(&comparator), sizeof layout.functions);
    const void *const *table = masstree_rocksdb_key_comparator;
    if (table == nullptr || layout.functions != table + kFirstFunction)
        return nullptr;
    std::memcpy(&layout, static_cast<const void *>(&comparator), sizeof layout);
    return layout.user_comparator;
}

} // namespace masstree_rocksdb
