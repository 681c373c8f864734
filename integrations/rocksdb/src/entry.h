// Entries of a memtable, as MemTable::Add encodes them: the length of the internal key as a varint;
// the internal key, which is the user key and 8 bytes, little-endian, number << 8 | type; then length
// and bytes of the value.
#ifndef MASSTREE_ROCKSDB_ENTRY_H
#define MASSTREE_ROCKSDB_ENTRY_H

#include <cstdint>
#include <cstring>

#include <rocksdb/slice.h>

namespace masstree_rocksdb {

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "entries are read as little-endian"
#endif

// The bytes of an internal key behind the user key.
constexpr size_t kTagSize = 8;

// A user key and the number of a version. Versions are ordered by user key ascending, then by number
// descending; the type does not count: the same number twice is a duplicate.
struct VersionKey {
    ROCKSDB_NAMESPACE::Slice user_key;
    uint64_t number;
};

inline VersionKey KeyOfInternal(const char *key, size_t len)
{
    uint64_t tag;
    std::memcpy(&tag, key + len - kTagSize, kTagSize);
    return {ROCKSDB_NAMESPACE::Slice(key, len - kTagSize), tag >> 8};
}

inline VersionKey KeyOf(const ROCKSDB_NAMESPACE::Slice &internal_key)
{
    return KeyOfInternal(internal_key.data(), internal_key.size());
}

inline VersionKey KeyOf(const char *entry)
{
    auto byte = static_cast<unsigned char>(*entry++);
    uint32_t len = byte & 0x7f;
    for (int shift = 7; byte & 0x80; shift += 7) {
        byte = static_cast<unsigned char>(*entry++);
        len |= static_cast<uint32_t>(byte & 0x7f) << shift;
    }
    return KeyOfInternal(entry, len);
}

} // namespace masstree_rocksdb

#endif
