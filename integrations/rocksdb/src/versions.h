// The versions of one user key.
//
// The word that the tree has under a user key is one of three forms:
//
// - *single*, as most keys are: a pointer to the entry, at an even address, and nothing else;
// - *short*: a pointer to the Node of the newest version, with bit 0 set. Each node links to that of
//   the next older version;
// - *long*, with more than kMostShort versions: a pointer to a Head, with bits 0 and 1 set. It is the
//   head of a skip list over the same nodes, so that a key with a million versions is searched in
//   logarithmic time. One node in eight has a second link, one in 64 a third.
//
// Protocol. Only the holder of the lock of the key's leaf (the callback of masstree_update) calls Add,
// so a list has one writer at a time. Nothing is ever removed, and all memory belongs to the memtable.
// A node's fields are written before the first link to it, which is stored with release order, or
// before the tree stores the word, which it publishes likewise. So a reader, which loads links with
// acquire order and takes no lock, sees the whole of every node that it reaches. The linearization
// point of Add is the store of the lowest link, or of the word; higher links follow, and until then
// searches find the node by the lowest one.
//
// A reader may use a word for as long as the memtable: it then misses only versions that were added
// after it loaded the word.
#ifndef MASSTREE_ROCKSDB_VERSIONS_H
#define MASSTREE_ROCKSDB_VERSIONS_H

#include <atomic>
#include <cstdint>

#include "entry.h"
#include "private.h"

namespace masstree_rocksdb {

// The most versions of a short list.
constexpr uint64_t kMostShort = 8;
// The most nodes that Versions::Newer returns.
constexpr size_t kMostNewer = 8;
// The most links of a node: enough for 8^7 versions.
constexpr int kMaxHeight = 7;

struct Node;
using Link = std::atomic<Node *>;

#ifdef MASSTREE_ROCKSDB_COUNT_STEPS
// The links that this thread has followed, for a test.
inline thread_local uint64_t steps;
#endif

inline Node *Follow(const Link &link)
{
#ifdef MASSTREE_ROCKSDB_COUNT_STEPS
    steps++;
#endif
    // Acquire: pairs with the release stores of links in Add.
    return link.load(std::memory_order_acquire);
}

// A version in a list, followed by its links: the lowest one leads to the next older version.
struct Node {
    // number << 8 | rank. The rank is one less than the number of versions of the short list whose
    // newest this is; read and written only under the leaf's lock. The number does not change.
    std::atomic<uint64_t> number_and_rank;
    const char *entry;

    uint64_t number() const { return number_and_rank.load(std::memory_order_relaxed) >> 8; }

    Link *links() { return reinterpret_cast<Link *>(this + 1); }
    const Link *links() const { return reinterpret_cast<const Link *>(this + 1); }

    Node *older() const { return Follow(links()[0]); }
};

struct Head {
    Link links[kMaxHeight];
};

// A version that was found: its entry, and its node if the list is not single. entry is nullptr if
// there is none.
struct Position {
    const char *entry = nullptr;
    const Node *node = nullptr;
};

class Versions {
  public:
    explicit Versions(uint64_t word) : word_(word) {}

    bool is_single() const { return (word_ & kListed) == 0; }

    // What a reader of the versions reads first, to be prefetched: a byte of it.
    const void *first_read() const { return reinterpret_cast<const void *>(word_ & ~kTags); }

    // The newest version.
    Position Newest() const
    {
        if (is_single())
            return {single(), nullptr};
        return At(newest());
    }

    // The newest version with a number of at most `number`.
    Position AtMost(uint64_t number) const;

    // The oldest version with a number greater than `number`.
    Position Above(uint64_t number) const;

    // Some of the nodes with the next greater numbers, newest first, and how many: 0 if there are none,
    // or if the form is single. A step to a newer version costs a search, so an iterator takes some.
    size_t Newer(uint64_t number, const Node **newer) const;

    // The oldest version.
    Position Oldest() const;

    enum class Added { kWord, kLinked, kExists };

    // Adds a version to those under `present`, nullptr if the key is absent. kWord: *word is the new
    // word; kLinked: the word stays; kExists: there is a version with this number, nothing changed.
    // Throws std::bad_alloc, with nothing changed.
    static Added Add(ROCKSDB_NAMESPACE::Allocator *allocator, const uint64_t *present,
                     const char *entry, uint64_t number, uint64_t *word);

  private:
    static constexpr uint64_t kListed = 1;
    static constexpr uint64_t kLong = 2;
    static constexpr uint64_t kTags = kListed | kLong;

    static Position At(const Node *node)
    {
        return node == nullptr ? Position{} : Position{node->entry, node};
    }

    bool is_long() const { return (word_ & kTags) == kTags; }
    const char *single() const { return reinterpret_cast<const char *>(word_); }
    Node *node() const { return reinterpret_cast<Node *>(word_ & ~kTags); }
    Head *head() const { return reinterpret_cast<Head *>(word_ & ~kTags); }

    const Node *newest() const
    {
        return is_long() ? Follow(head()->links[0]) : node();
    }

    static Added AddToShort(ROCKSDB_NAMESPACE::Allocator *allocator, Node *newest, const char *entry,
                            uint64_t number, uint64_t *word);
    static Added AddToLong(ROCKSDB_NAMESPACE::Allocator *allocator, Head *head, const char *entry,
                           uint64_t number);

    uint64_t word_;
};

} // namespace masstree_rocksdb

#endif
