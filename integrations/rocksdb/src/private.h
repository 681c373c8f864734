// What the memtable needs of RocksDB's private headers, which are not installed: the allocator of a
// memtable, the key of a look-up, and where a memtable's comparator is. These differ from version to
// version, and so do the virtual functions of the public headers: a library works with the version
// for which it was compiled.
#ifndef MASSTREE_ROCKSDB_PRIVATE_H
#define MASSTREE_ROCKSDB_PRIVATE_H

#include <cstddef>
#include <cstdint>

#include <rocksdb/comparator.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/slice.h>
#include <rocksdb/types.h>
#include <rocksdb/version.h>

#if ROCKSDB_MAJOR != 7 || ROCKSDB_MINOR != 8
#error "libmasstree-rocksdb supports RocksDB 7.8 only: its private classes differ in other versions"
#endif

namespace ROCKSDB_NAMESPACE {

// As in memory/allocator.h. An Arena is one, at its start.
class Allocator {
  public:
    virtual ~Allocator() {}

    virtual char *Allocate(size_t bytes) = 0;
    virtual char *AllocateAligned(size_t bytes, size_t huge_page_size = 0,
                                  Logger *logger = nullptr) = 0;
    virtual size_t BlockSize() const = 0;
};

// As in db/lookup_key.h; the constructor is RocksDB's.
class LookupKey {
  public:
    LookupKey(const Slice &user_key, SequenceNumber sequence, const Slice *timestamp = nullptr);
    LookupKey(const LookupKey &) = delete;
    void operator=(const LookupKey &) = delete;

    ~LookupKey()
    {
        if (start_ != space_)
            delete[] start_;
    }

    Slice memtable_key() const { return Slice(start_, static_cast<size_t>(end_ - start_)); }
    Slice internal_key() const { return Slice(kstart_, static_cast<size_t>(end_ - kstart_)); }

  private:
    // The length of the internal key as a varint; from kstart_ on, the internal key.
    const char *start_;
    const char *kstart_;
    const char *end_;
    char space_[200];
};

} // namespace ROCKSDB_NAMESPACE

namespace masstree_rocksdb {

// Returns the comparator of user keys with which a memtable's comparator was made; nullptr if it is
// not the comparator of a MemTable.
const ROCKSDB_NAMESPACE::Comparator *
UserComparatorOf(const ROCKSDB_NAMESPACE::MemTableRep::KeyComparator &comparator);

} // namespace masstree_rocksdb

#endif
