#include "rep.h"

#include <cstdio>
#include <cstdlib>
#include <new>

#include "iterator.h"

namespace masstree_rocksdb {

using ROCKSDB_NAMESPACE::Allocator;
using ROCKSDB_NAMESPACE::KeyHandle;
using ROCKSDB_NAMESPACE::LookupKey;
using ROCKSDB_NAMESPACE::Slice;

namespace {

constexpr size_t kCacheLine = 64;
// RocksDB asks for the memory after every insert: it is measured once in so many inserts.
constexpr uint32_t kInsertsPerMeasurement = 64;
// Inserts after which the writer's guard lets memory go that the tree has replaced.
constexpr uint32_t kInsertsPerRefresh = 1024;

// An insert under way.
struct NewVersion {
    Allocator *allocator;
    const char *entry;
    uint64_t number;
    bool exists;
    bool is_first;
};

// Called with the leaf locked. It may allocate from the memtable's arena: no one who holds a lock of
// the arena calls the tree.
int32_t AddVersion(const uint64_t *present, uint64_t *value, void *ctx) noexcept
{
    auto *version = static_cast<NewVersion *>(ctx);
    version->is_first = present == nullptr;
    try {
        switch (Versions::Add(version->allocator, present, version->entry, version->number, value)) {
        case Versions::Added::kWord:
            return MASSTREE_ACTION_SET;
        case Versions::Added::kLinked:
            return MASSTREE_ACTION_KEEP;
        case Versions::Added::kExists:
            version->exists = true;
            return MASSTREE_ACTION_KEEP;
        }
    } catch (const std::bad_alloc &) {
    }
    return MASSTREE_NOMEM;
}

// Returns the user key of the newest entry under a word of the tree. All of them live in the memtable's
// arena, longer than the tree.
const void *UserKeyIn(void * /*ctx*/, const void *value, size_t /*value_len*/, size_t *len) noexcept
{
    const Versions versions(reinterpret_cast<uint64_t>(value));
    const VersionKey key = KeyOf(versions.Newest().entry);
    *len = key.user_key.size();
    return key.user_key.data();
}

} // namespace

int32_t CreateTree(masstree_t **tree) noexcept
{
    masstree_options_t options = MASSTREE_OPTIONS_INIT;
    options.key_of = UserKeyIn;
    return masstree_create(&options, tree);
}

void Fail(int32_t status)
{
    if (status == MASSTREE_NOMEM)
        throw std::bad_alloc();
    std::fprintf(stderr, "libmasstree-rocksdb: %s\n", masstree_strerror(status));
    std::abort();
}

Rep::Rep(Allocator *allocator, masstree_t *tree) : MemTableRep(allocator), tree_(tree)
{
    const int32_t status = masstree_guard_enter(tree, &writer_guard_);
    if (status != MASSTREE_OK) {
        masstree_destroy(tree);
        Fail(status);
    }
    memory_.store(MeasureMemory(), std::memory_order_relaxed);
}

Rep::~Rep()
{
    masstree_guard_leave(writer_guard_);
    masstree_destroy(tree_);
}

KeyHandle Rep::Allocate(size_t len, char **buf)
{
    // At an even address: bit 0 of a word marks lists.
    char *memory = allocator_->Allocate(len + 1);
    *buf = memory + (reinterpret_cast<uintptr_t>(memory) & 1);
    return *buf;
}

bool Rep::Add(masstree_guard_t *guard, KeyHandle handle)
{
    const auto *entry = static_cast<const char *>(handle);
    const VersionKey key = KeyOf(entry);
    NewVersion version{allocator_, entry, key.number, false, false};
    const int32_t status = masstree_update(tree_, guard, key.user_key.data(), key.user_key.size(),
                                           AddVersion, &version, nullptr);
    if (status != MASSTREE_OK)
        Fail(status);
    if (!version.is_first && !version.exists)
        more_versions_.fetch_add(1, std::memory_order_relaxed);
    // Not a read-modify-write: two threads may count one insert, or measure at the same time.
    const uint32_t inserts = inserts_.load(std::memory_order_relaxed) + 1;
    inserts_.store(inserts, std::memory_order_relaxed);
    if (inserts % kInsertsPerMeasurement == 0)
        memory_.store(MeasureMemory(), std::memory_order_relaxed);
    return !version.exists;
}

bool Rep::InsertKey(KeyHandle handle)
{
    if (++inserts_since_refresh_ == kInsertsPerRefresh) {
        inserts_since_refresh_ = 0;
        masstree_guard_refresh(writer_guard_);
    }
    return Add(writer_guard_, handle);
}

bool Rep::InsertKeyConcurrently(KeyHandle handle)
{
    return Add(nullptr, handle);
}

// The others. A hint would be the place of the last insert under a prefix, which the tree finds as fast
// by itself. It must not be written: RocksDB passes the hint of a prefix to the skip list of range
// tombstones as well, which would take it for its own; and it frees the hints of concurrent inserts. Nor
// read: that skip list may have written it.

void Rep::Insert(KeyHandle handle)
{
    InsertKey(handle);
}

void Rep::InsertWithHint(KeyHandle handle, void **)
{
    InsertKey(handle);
}

bool Rep::InsertKeyWithHint(KeyHandle handle, void **)
{
    return InsertKey(handle);
}

void Rep::InsertConcurrently(KeyHandle handle)
{
    InsertKeyConcurrently(handle);
}

void Rep::InsertWithHintConcurrently(KeyHandle handle, void **)
{
    InsertKeyConcurrently(handle);
}

bool Rep::InsertKeyWithHintConcurrently(KeyHandle handle, void **)
{
    return InsertKeyConcurrently(handle);
}

bool Rep::Contains(const char *entry) const
{
    const VersionKey key = KeyOf(entry);
    uint64_t word;
    const int32_t status =
        masstree_get(tree_, nullptr, key.user_key.data(), key.user_key.size(), &word);
    if (status == MASSTREE_NOT_FOUND)
        return false;
    if (status != MASSTREE_OK)
        Fail(status);
    const Position found = Versions(word).AtMost(key.number);
    return found.entry != nullptr && KeyOf(found.entry).number == key.number;
}

void Rep::Get(const LookupKey &lookup, void *arg, bool (*callback)(void *arg, const char *entry))
{
    const VersionKey key = KeyOf(lookup.internal_key());
    uint64_t word;
    const int32_t status =
        masstree_get(tree_, nullptr, key.user_key.data(), key.user_key.size(), &word);
    if (status == MASSTREE_NOT_FOUND)
        return;
    if (status != MASSTREE_OK)
        Fail(status);
    // The value follows in the next cache line.
    __builtin_prefetch(static_cast<const char *>(Versions(word).first_read()) + kCacheLine);
    Position at = Versions(word).AtMost(key.number);
    // Ends: each round goes to an older version of the key. The callback would end at the next key.
    while (at.entry != nullptr && callback(arg, at.entry)) {
        if (at.node == nullptr)
            return;
        at.node = at.node->older();
        at.entry = at.node == nullptr ? nullptr : at.node->entry;
    }
}

uint64_t Rep::MeasureMemory() const
{
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    const int32_t status = masstree_stats(tree_, nullptr, &stats);
    if (status != MASSTREE_OK)
        Fail(status);
    return stats.node_bytes + stats.suffix_bytes;
}

// Changes only with an insert: RocksDB adds the size when it makes the memtable immutable, asks again
// before MarkReadOnly, and later subtracts the same. So neither calls of this function nor memory that
// an iterator keeps or returns may change it; and after MarkReadOnly, which needs to do nothing, there
// are no inserts.
size_t Rep::ApproximateMemoryUsage()
{
    return memory_.load(std::memory_order_relaxed);
}

ROCKSDB_NAMESPACE::MemTableRep::Iterator *Rep::GetIterator(ROCKSDB_NAMESPACE::Arena *arena)
{
    // An Arena begins with its Allocator.
    void *memory = arena == nullptr
                       ? operator new(sizeof(RepIterator))
                       : reinterpret_cast<Allocator *>(arena)->AllocateAligned(sizeof(RepIterator));
    return new (memory) RepIterator(tree_);
}

} // namespace masstree_rocksdb
