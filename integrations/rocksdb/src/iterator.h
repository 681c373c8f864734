// Iterators over all entries of a memtable.
//
// An iterator has some words of neighbouring keys, which one scan of the tree has taken, and a position
// in the versions of one of their keys. The next scan begins behind the user key of the last entry; so
// an iterator needs no cursor and, between the calls, no guard: the words lead to memory that lives as
// long as the memtable. A key of a scan costs a fraction of a cursor's step, and the entries to which
// the words lead are prefetched.
//
// What it sees: all entries whose insert had returned before the call that took the words. RocksDB
// reads at a snapshot whose entries were all inserted before the seek, so it misses none of them; of
// later entries an iterator may see some and miss others, as with a skip list. It never leaves the
// order: a seek takes the word that the scan found together with the key.
#ifndef MASSTREE_ROCKSDB_ITERATOR_H
#define MASSTREE_ROCKSDB_ITERATOR_H

#include <cstddef>
#include <cstdint>

#include <masstree.h>

#include "private.h"
#include "versions.h"

namespace masstree_rocksdb {

class RepIterator final : public ROCKSDB_NAMESPACE::MemTableRep::Iterator {
  public:
    explicit RepIterator(const masstree_t *tree) : tree_(tree) {}

    RepIterator(const RepIterator &) = delete;
    void operator=(const RepIterator &) = delete;

    bool Valid() const override { return at_.entry != nullptr; }
    const char *key() const override { return at_.entry; }
    void Next() override;
    void Prev() override;
    void Seek(const ROCKSDB_NAMESPACE::Slice &internal_key, const char *entry) override;
    void SeekForPrev(const ROCKSDB_NAMESPACE::Slice &internal_key, const char *entry) override;
    void SeekToFirst() override;
    void SeekToLast() override;

  private:
    static constexpr size_t kMostWords = 64;
    static constexpr size_t kFirstWords = 2;
    // How many words ahead the second cache line of an entry is prefetched, and the entry of a list.
    static constexpr size_t kAhead = 4;

    // Before a seek: no position.
    void Reset();
    // Takes words in a direction, from a key on (MASSTREE_BOUND_INCLUSIVE), behind a key
    // (_EXCLUSIVE), or from the first or last (_OPEN). Returns whether there is one.
    bool Scan(const ROCKSDB_NAMESPACE::Slice &from, uint32_t bound, bool reverse);
    // Goes to the next key in a direction; returns whether there is one.
    bool Step(bool reverse);
    bool Continue(bool reverse);
    void PrefetchAhead() const;

    Versions versions() const { return Versions(words_[index_]); }

    const masstree_t *tree_;
    Position at_;
    // Words of neighbouring keys, in the direction in which they were taken.
    uint64_t words_[kMostWords];
    size_t count_ = 0;
    size_t index_ = 0;
    // How many words to take next: more and more, so that a seek without steps takes none in vain.
    size_t wanted_ = kFirstWords;
    bool reverse_ = false;
    // Versions that Prev visits next, newest first.
    const Node *newer_[kMostNewer];
    size_t newer_count_ = 0;
};

} // namespace masstree_rocksdb

#endif
