#include "versions.h"

#include <algorithm>
#include <new>

namespace masstree_rocksdb {

using ROCKSDB_NAMESPACE::Allocator;

namespace {

// Mixes the bits of a number (the finalizer of splitmix64).
uint64_t Mix(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

// One node in eight is higher than 1, one in 64 higher than 2.
int HeightOf(uint64_t number)
{
    const uint64_t bits = Mix(number) | uint64_t{1} << (3 * (kMaxHeight - 1));
    return 1 + __builtin_ctzll(bits) / 3;
}

Node *MakeNode(Allocator *allocator, const char *entry, uint64_t number)
{
    const int height = HeightOf(number);
    void *memory = allocator->AllocateAligned(sizeof(Node) + sizeof(Link) * height);
    Node *node = new (memory) Node{number << 8, entry};
    for (int level = 0; level < height; level++)
        new (node->links() + level) Link(nullptr);
    return node;
}

uint64_t RankOf(const Node *node)
{
    return node->number_and_rank.load(std::memory_order_relaxed) & 0xff;
}

void SetRank(Node *node, uint64_t rank)
{
    node->number_and_rank.store(node->number() << 8 | rank, std::memory_order_relaxed);
}

// The last link at each level that is before the first node with a number of at most `number`.
struct Path {
    const Link *at[kMaxHeight];
    // The last node with a greater number.
    const Node *above;
};

// Ends at a level, and always: each step follows a link to a node with a smaller number, or descends.
Path Search(const Head *head, uint64_t number, int lowest = 0)
{
    Path path;
    path.above = nullptr;
    const Link *links = head->links;
    for (int level = kMaxHeight - 1; level >= lowest; level--) {
        const Node *next;
        while ((next = Follow(links[level])) != nullptr &&
               next->number() > number) {
            path.above = next;
            links = next->links();
        }
        path.at[level] = &links[level];
    }
    return path;
}

} // namespace

Position Versions::AtMost(uint64_t number) const
{
    if (is_single()) {
        const char *entry = single();
        return KeyOf(entry).number <= number ? Position{entry, nullptr} : Position{};
    }
    if (is_long())
        return At(Follow(*Search(head(), number).at[0]));
    const Node *node = this->node();
    // Ends: a short list has at most kMostShort nodes, and those that are linked into it meanwhile
    // make it long.
    while (node != nullptr && node->number() > number)
        node = node->older();
    return At(node);
}

Position Versions::Above(uint64_t number) const
{
    if (is_single()) {
        const char *entry = single();
        return KeyOf(entry).number > number ? Position{entry, nullptr} : Position{};
    }
    if (is_long())
        return At(Search(head(), number).above);
    const Node *above = nullptr;
    // Ends: as above.
    for (const Node *node = this->node(); node != nullptr && node->number() > number;
         node = node->older())
        above = node;
    return At(above);
}

size_t Versions::Newer(uint64_t number, const Node **newer) const
{
    if (is_single())
        return 0;
    const Node *node = this->node();
    if (is_long()) {
        // From the last higher node before the number on, one in eight.
        const Node *above = Search(head(), number, 1).above;
        node = above != nullptr ? above : newest();
    }
    // The newer half makes room if there are more than expected.
    size_t count = 0;
    // Ends: as in AtMost, or at the number.
    for (; node != nullptr && node->number() > number; node = node->older()) {
        if (count == kMostNewer) {
            count = kMostNewer / 2;
            std::copy(newer + count, newer + kMostNewer, newer);
        }
        __builtin_prefetch(node->entry);
        newer[count++] = node;
    }
    return count;
}

Position Versions::Oldest() const
{
    if (is_single())
        return {single(), nullptr};
    if (is_long()) {
        const Link *links = head()->links;
        const Node *last = nullptr;
        // Ends: as Search.
        for (int level = kMaxHeight - 1; level >= 0; level--)
            while (const Node *next = Follow(links[level])) {
                last = next;
                links = next->links();
            }
        return At(last);
    }
    const Node *node = this->node();
    // Ends: as in AtMost.
    while (const Node *older = node->older())
        node = older;
    return At(node);
}

Versions::Added Versions::Add(Allocator *allocator, const uint64_t *present, const char *entry,
                              uint64_t number, uint64_t *word)
{
    if (present == nullptr) {
        *word = reinterpret_cast<uint64_t>(entry);
        return Added::kWord;
    }
    const Versions versions(*present);
    if (versions.is_long())
        return AddToLong(allocator, versions.head(), entry, number);
    if (!versions.is_single())
        return AddToShort(allocator, versions.node(), entry, number, word);
    const char *other = versions.single();
    const uint64_t other_number = KeyOf(other).number;
    if (other_number == number)
        return Added::kExists;
    // The single entry's node is in no list yet, so a failure of the second allocation loses nothing.
    Node *newest = MakeNode(allocator, other, other_number);
    if (number > other_number) {
        Node *node = MakeNode(allocator, entry, number);
        node->links()[0].store(newest, std::memory_order_relaxed);
        newest = node;
    } else {
        newest->links()[0].store(MakeNode(allocator, entry, number), std::memory_order_relaxed);
    }
    SetRank(newest, 1);
    *word = reinterpret_cast<uint64_t>(newest) | kListed;
    return Added::kWord;
}

Versions::Added Versions::AddToShort(Allocator *allocator, Node *newest, const char *entry,
                                     uint64_t number, uint64_t *word)
{
    Node *before = nullptr;
    Node *after = newest;
    while (after != nullptr && after->number() > number) {
        before = after;
        after = after->older();
    }
    if (after != nullptr && after->number() == number)
        return Added::kExists;
    const uint64_t rank = RankOf(newest) + 1;
    if (rank == kMostShort) {
        Head *head = new (allocator->AllocateAligned(sizeof(Head))) Head;
        Link *tails[kMaxHeight];
        for (int level = 0; level < kMaxHeight; level++) {
            head->links[level].store(nullptr, std::memory_order_relaxed);
            tails[level] = &head->links[level];
        }
        // Readers of the short list use the lowest links only, which stay.
        head->links[0].store(newest, std::memory_order_relaxed);
        for (Node *node = newest; node != nullptr; node = node->older()) {
            const int height = HeightOf(node->number());
            for (int level = 1; level < height; level++) {
                tails[level]->store(node, std::memory_order_relaxed);
                tails[level] = &node->links()[level];
            }
        }
        AddToLong(allocator, head, entry, number);
        *word = reinterpret_cast<uint64_t>(head) | kListed | kLong;
        return Added::kWord;
    }
    Node *node = MakeNode(allocator, entry, number);
    node->links()[0].store(after, std::memory_order_relaxed);
    if (before == nullptr) {
        SetRank(node, rank);
        *word = reinterpret_cast<uint64_t>(node) | kListed;
        return Added::kWord;
    }
    SetRank(newest, rank);
    // Release: pairs with Follow.
    before->links()[0].store(node, std::memory_order_release);
    return Added::kLinked;
}

Versions::Added Versions::AddToLong(Allocator *allocator, Head *head, const char *entry,
                                    uint64_t number)
{
    const Path path = Search(head, number);
    Node *after = path.at[0]->load(std::memory_order_relaxed);
    if (after != nullptr && after->number() == number)
        return Added::kExists;
    Node *node = MakeNode(allocator, entry, number);
    const int height = HeightOf(number);
    // Every link of the node is stored before any link to it: a search that finds it at one level
    // continues at it, on this level and on those below.
    for (int level = 0; level < height; level++)
        node->links()[level].store(path.at[level]->load(std::memory_order_relaxed),
                                   std::memory_order_relaxed);
    // Release: pairs with Follow.
    for (int level = 0; level < height; level++)
        const_cast<Link *>(path.at[level])->store(node, std::memory_order_release);
    return Added::kLinked;
}

} // namespace masstree_rocksdb
