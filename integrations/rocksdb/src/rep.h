// The memtable: a tree from user keys to words that say where the entries of the key's versions are.
//
// RocksDB encodes an entry in memory that it asks of Allocate, from the arena of its memtable, and
// the entry stays there: the tree has a pointer to it, so that nothing is copied, and an update in
// place changes what every reader sees. A key that has several versions keeps them in a list; see
// versions.h. Lists come from the same arena, the nodes of the tree from libmasstree.
//
// An insert is a masstree_update, whose callback adds the version under the lock of the key's leaf.
// Everything that a reader follows from a word lives as long as the memtable, so readers need no
// guard for it; what they read of the tree itself, libmasstree protects in each call.
#ifndef MASSTREE_ROCKSDB_REP_H
#define MASSTREE_ROCKSDB_REP_H

#include <atomic>
#include <cstdint>
#include <unordered_set>

#include <masstree.h>

#include "private.h"
#include "versions.h"

namespace masstree_rocksdb {

// Ends the operation for a status that no caller of the memtable can handle: throws std::bad_alloc
// for MASSTREE_NOMEM, as RocksDB's own arena does; aborts with the status's sentence otherwise, which
// happens only in a process that was forked from the one that made the memtable.
[[noreturn]] void Fail(int32_t status);

// Creates the tree of a memtable, whose leaves refer to the keys in the entries. Returns the status.
int32_t CreateTree(masstree_t **tree) noexcept;

class Rep final : public ROCKSDB_NAMESPACE::MemTableRep {
  public:
    // The memtable takes the tree, which is empty.
    Rep(ROCKSDB_NAMESPACE::Allocator *allocator, masstree_t *tree);
    ~Rep() override;

    Rep(const Rep &) = delete;
    void operator=(const Rep &) = delete;

    ROCKSDB_NAMESPACE::KeyHandle Allocate(size_t len, char **buf) override;

    void Insert(ROCKSDB_NAMESPACE::KeyHandle handle) override;
    bool InsertKey(ROCKSDB_NAMESPACE::KeyHandle handle) override;
    void InsertWithHint(ROCKSDB_NAMESPACE::KeyHandle handle, void **hint) override;
    bool InsertKeyWithHint(ROCKSDB_NAMESPACE::KeyHandle handle, void **hint) override;
    void InsertConcurrently(ROCKSDB_NAMESPACE::KeyHandle handle) override;
    bool InsertKeyConcurrently(ROCKSDB_NAMESPACE::KeyHandle handle) override;
    void InsertWithHintConcurrently(ROCKSDB_NAMESPACE::KeyHandle handle, void **hint) override;
    bool InsertKeyWithHintConcurrently(ROCKSDB_NAMESPACE::KeyHandle handle, void **hint) override;

    bool Contains(const char *entry) const override;
    void Get(const ROCKSDB_NAMESPACE::LookupKey &key, void *arg,
             bool (*callback)(void *arg, const char *entry)) override;

    size_t ApproximateMemoryUsage() override;
    uint64_t ApproximateNumEntries(const ROCKSDB_NAMESPACE::Slice &start,
                                   const ROCKSDB_NAMESPACE::Slice &end) override;
    void UniqueRandomSample(uint64_t num_entries, uint64_t target_sample_size,
                            std::unordered_set<const char *> *entries) override;

    Iterator *GetIterator(ROCKSDB_NAMESPACE::Arena *arena) override;

    masstree_t *tree() const { return tree_; }

  private:
    bool Add(masstree_guard_t *guard, ROCKSDB_NAMESPACE::KeyHandle handle);
    uint64_t MeasureMemory() const;
    void SampleAll(uint64_t num_entries, uint64_t target, std::unordered_set<const char *> *entries);
    void SampleSome(uint64_t target, std::unordered_set<const char *> *entries);

    masstree_t *const tree_;
    // The guard of inserts that are not concurrent: one thread at a time has it. It remembers the
    // leaf of the last insert, which makes ascending inserts fast.
    masstree_guard_t *writer_guard_;
    uint32_t inserts_since_refresh_ = 0;
    // The bytes of the tree when they were last measured.
    std::atomic<uint64_t> memory_;
    std::atomic<uint32_t> inserts_{0};
    // Versions beyond the first of their key.
    std::atomic<uint64_t> more_versions_{0};
};

} // namespace masstree_rocksdb

#endif
