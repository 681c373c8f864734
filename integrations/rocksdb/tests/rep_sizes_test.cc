// Sizes, estimates and samples of the memtable, its pointers, and what it does without memory.

#include <cstdio>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tables.h"

namespace masstree_rocksdb::tests {
namespace {

void Fill(MemTableRep *rep, uint64_t keys, uint64_t versions)
{
    for (uint64_t version = 1; version <= versions; version++)
        for (uint64_t i = 0; i < keys; i++) {
            char key[24];
            std::snprintf(key, sizeof key, "key%08llu",
                          static_cast<unsigned long long>(i * 7919 % keys));
            rep->Insert(Store(rep, Entry(key, version, "")));
        }
}

// Put back: counting keys instead of entries; or everything before the end instead of the range.
TEST(Rep, EstimatesTheEntriesOfARange)
{
    constexpr uint64_t kKeys = 50000;
    constexpr uint64_t kVersions = 3;
    Ours ours;
    EXPECT_EQ(ours.rep.ApproximateNumEntries(InternalKey("a", kMostNumber),
                                             InternalKey("z", kMostNumber)),
              0u);
    Fill(&ours.rep, kKeys, kVersions);
    const auto estimate = [&](uint64_t from, uint64_t to) {
        char start[24], end[24];
        std::snprintf(start, sizeof start, "key%08llu", static_cast<unsigned long long>(from));
        std::snprintf(end, sizeof end, "key%08llu", static_cast<unsigned long long>(to));
        return ours.rep.ApproximateNumEntries(InternalKey(start, kMostNumber),
                                              InternalKey(end, kMostNumber));
    };
    EXPECT_EQ(estimate(100, 100), 0u);
    EXPECT_EQ(estimate(200, 100), 0u);
    for (const uint64_t size : {10000, 25000, 40000})
        for (const uint64_t from : {uint64_t{0}, uint64_t{5000}, kKeys - size}) {
            const double expected = static_cast<double>(size * kVersions);
            const auto found = static_cast<double>(estimate(from, from + size));
            EXPECT_GT(found, expected * 0.6) << from << " " << size;
            EXPECT_LT(found, expected * 1.5) << from << " " << size;
        }
}

// Put back: taking the first entries.
TEST(Rep, SamplesAreSpreadOverTheEntries)
{
    constexpr uint64_t kKeys = 20000;
    Ours ours;
    Fill(&ours.rep, kKeys, 2);
    std::map<const char *, size_t> rank;
    const std::unique_ptr<MemTableRep::Iterator> iterator(ours.rep.GetIterator(nullptr));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next())
        rank.emplace(iterator->key(), rank.size());
    ASSERT_EQ(rank.size(), 2 * kKeys);
    for (const uint64_t target : {100, 3000}) {
        std::unordered_set<const char *> sample;
        ours.rep.UniqueRandomSample(rank.size(), target, &sample);
        EXPECT_GE(sample.size(), target * 9 / 10);
        EXPECT_LE(sample.size(), target);
        std::vector<int> in_quarter(4);
        for (const char *entry : sample) {
            ASSERT_EQ(rank.count(entry), 1u);
            in_quarter[rank[entry] * 4 / rank.size()]++;
        }
        for (const int count : in_quarter)
            EXPECT_GT(static_cast<uint64_t>(count), target / 4 * 6 / 10);
    }
    std::unordered_set<const char *> sample{"left from before"};
    Ours empty;
    empty.rep.UniqueRandomSample(0, 10, &sample);
    EXPECT_TRUE(sample.empty());
}

// RocksDB adds the size of a table that it makes immutable, asks for it again, calls MarkReadOnly, and
// later subtracts it: all must be the same, also if an iterator keeps or returns memory.
// Put back: measuring in ApproximateMemoryUsage, once in so many calls; or measuring in MarkReadOnly.
TEST(Rep, TheSizeChangesOnlyWithInserts)
{
    Ours ours;
    const size_t empty = ours.rep.ApproximateMemoryUsage();
    Fill(&ours.rep, 10007, 1);
    const size_t full = ours.rep.ApproximateMemoryUsage();
    EXPECT_GT(full, empty + 10000 * 20);
    EXPECT_LT(full, empty + 10000 * 100);
    for (uint64_t i = 0; i < 1000; i++) {
        if (i == 500)
            ours.rep.MarkReadOnly();
        // As other memory of the tree would.
        const std::string key = "more" + std::to_string(i);
        ASSERT_EQ(masstree_put(ours.rep.tree(), nullptr, key.data(), key.size(), 2), MASSTREE_OK);
        ASSERT_EQ(ours.rep.ApproximateMemoryUsage(), full);
    }
}

// Put back: measuring the empty table only.
TEST(Rep, TheSizeGrowsWithTheTable)
{
    Ours ours;
    size_t last = ours.rep.ApproximateMemoryUsage();
    for (uint64_t i = 0; i < 10; i++) {
        for (uint64_t j = 0; j < 1000; j++) {
            const std::string key = "key" + std::to_string(j * 10 + i);
            ours.rep.Insert(Store(&ours.rep, Entry(key, 1, "")));
            ours.rep.ApproximateMemoryUsage();
        }
        const size_t now = ours.rep.ApproximateMemoryUsage();
        EXPECT_GT(now, last);
        last = now;
    }
}

// RocksDB updates values in place, through pointers that iterators return.
// Put back: a memtable that copies entries.
TEST(Rep, ReturnsTheEntriesThatWereInserted)
{
    Ours ours;
    std::set<const char *> inserted;
    for (uint64_t number = 1; number <= 20; number++)
        for (const char *key : {"a", "b", "a longer key than 8 bytes"}) {
            const KeyHandle handle = Store(&ours.rep, Entry(key, number, "value"));
            ASSERT_TRUE(ours.rep.InsertKey(handle));
            inserted.insert(static_cast<const char *>(handle));
        }
    std::set<const char *> found;
    const std::unique_ptr<MemTableRep::Iterator> iterator(ours.rep.GetIterator(nullptr));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next())
        found.insert(iterator->key());
    EXPECT_EQ(found, inserted);
    ROCKSDB_NAMESPACE::Arena *no_arena = nullptr;
    const std::unique_ptr<MemTableRep::Iterator> unused(ours.rep.GetIterator(no_arena));
    EXPECT_FALSE(unused->Valid());
}

// An allocator that fails, once it has been told to.
class FailingArena final : public Allocator {
  public:
    char *Allocate(size_t bytes) override { return arena_.Allocate(bytes); }
    char *AllocateAligned(size_t bytes, size_t, ROCKSDB_NAMESPACE::Logger *) override
    {
        if (fails && left-- == 0)
            throw std::bad_alloc();
        return arena_.AllocateAligned(bytes, 0, nullptr);
    }
    size_t BlockSize() const override { return 0; }

    bool fails = false;
    uint64_t left = 0;

  private:
    Arena arena_;
};

// Put back: letting the exception pass, which ends the process.
TEST(Rep, WithoutMemoryForAListNothingChanges)
{
    FailingArena arena;
    Rep rep(&arena, NewTree());
    std::vector<std::string> expected;
    for (uint64_t number = 1; number <= 30; number++) {
        // The insert takes at most two allocations; each of them fails once.
        for (uint64_t left = 0; left < 2; left++) {
            const KeyHandle handle = Store(&rep, Entry("key", number, "v"));
            arena.fails = true;
            arena.left = left;
            bool inserted = false;
            try {
                inserted = rep.InsertKey(handle);
            } catch (const std::bad_alloc &) {
            }
            arena.fails = false;
            if (inserted)
                expected.insert(expected.begin(), Text(static_cast<const char *>(handle)));
            ASSERT_EQ(Got(&rep, "key", kMostNumber, 100), expected);
            if (inserted)
                break;
            if (left == 1) {
                ASSERT_TRUE(rep.InsertKey(handle));
                expected.insert(expected.begin(), Text(static_cast<const char *>(handle)));
            }
        }
    }
    EXPECT_EQ(expected.size(), 30u);
}

} // namespace
} // namespace masstree_rocksdb::tests
