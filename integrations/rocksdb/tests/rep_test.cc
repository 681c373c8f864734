// The memtable beside RocksDB's skip list: the same operations, the same results.
// MASSTREE_TEST_SEED and MASSTREE_TEST_FACTOR change what is tested, and how long.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "tables.h"
#include "versions.h"

namespace masstree_rocksdb::tests {

using ROCKSDB_NAMESPACE::SkipListFactory;

namespace {

uint64_t FromEnvironment(const char *name, uint64_t otherwise)
{
    const char *text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

const uint64_t kSeed = FromEnvironment("MASSTREE_TEST_SEED", 1);
const uint64_t kFactor = FromEnvironment("MASSTREE_TEST_FACTOR", 1);

struct SkipList {
    Arena arena;
    EntryOrder order;
    std::unique_ptr<MemTableRep> rep{
        SkipListFactory().CreateMemTableRep(order, &arena, nullptr, nullptr)};
};

// Both memtables, and what they have.
class Pair {
  public:
    explicit Pair(uint64_t seed) : random_(seed) {}

    std::mt19937_64 &random() { return random_; }
    MemTableRep *ours() { return &ours_.rep; }
    MemTableRep *other() { return other_.rep.get(); }

    // Inserts by one of the four ways that report duplicates. The ways are the same for both.
    void Insert(const std::string &key, uint64_t number)
    {
        const auto type = static_cast<uint8_t>(random_() % 20);
        const std::string entry = Entry(key, number, std::to_string(count_++), type);
        const uint64_t way = random_() % 4;
        const bool inserted = InsertBy(ours(), entry, way, &our_hint_);
        ASSERT_EQ(inserted, InsertBy(other(), entry, way, &other_hint_)) << Text(entry.data());
        if (inserted)
            entries_++;
    }

    uint64_t entries() const { return entries_; }

    ~Pair() { delete[] static_cast<char *>(other_concurrent_hint_); }

  private:
    bool InsertBy(MemTableRep *rep, const std::string &entry, uint64_t way, void **hint)
    {
        const KeyHandle handle = Store(rep, entry);
        switch (way) {
        case 0:
            return rep->InsertKey(handle);
        case 1:
            return rep->InsertKeyWithHint(handle, hint);
        case 2:
            return rep->InsertKeyConcurrently(handle);
        default:
            return rep->InsertKeyWithHintConcurrently(
                handle, rep == ours() ? hint : &other_concurrent_hint_);
        }
    }

    std::mt19937_64 random_;
    Ours ours_;
    SkipList other_;
    void *our_hint_ = nullptr;
    void *other_hint_ = nullptr;
    void *other_concurrent_hint_ = nullptr;
    uint64_t count_ = 0;
    uint64_t entries_ = 0;
};

// The same random movements of an iterator of each.
void Walk(Pair *pair, Keys *keys, uint64_t most_number, size_t movements)
{
    const std::unique_ptr<MemTableRep::Iterator> ours(pair->ours()->GetIterator(nullptr));
    const std::unique_ptr<MemTableRep::Iterator> other(pair->other()->GetDynamicPrefixIterator());
    std::mt19937_64 &random = pair->random();
    std::string done;
    for (size_t i = 0; i < movements; i++) {
        const uint64_t number = random() % 8 == 0 ? kMostNumber : random() % (most_number + 2);
        const uint64_t movement = random() % 40;
        const std::string target = InternalKey(keys->Next(), number);
        std::string encoded;
        PutVarint(&encoded, static_cast<uint32_t>(target.size()));
        encoded += target;
        const char *entry = random() % 2 == 0 ? encoded.data() : nullptr;
        const auto move = [&](MemTableRep::Iterator *iterator) {
            if (movement == 0)
                iterator->SeekToFirst();
            else if (movement == 1)
                iterator->SeekToLast();
            else if (movement == 2 || !iterator->Valid())
                iterator->Seek(target, entry);
            else if (movement == 3)
                iterator->SeekForPrev(target, entry);
            // Runs in one direction, which turn round now and then.
            else if (i / 50 % 3 == 0 ? movement % 2 == 0 : i / 50 % 3 == 1)
                iterator->Next();
            else
                iterator->Prev();
        };
        move(ours.get());
        move(other.get());
        ASSERT_EQ(ours->Valid(), other->Valid()) << "movement " << movement << " of step " << i;
        if (ours->Valid()) {
            ASSERT_EQ(Text(ours->key()), Text(other->key())) << movement << " of step " << i;
        }
    }
}

void Compare(uint64_t seed, uint64_t different, uint64_t most_number, size_t inserts)
{
    SCOPED_TRACE("MASSTREE_TEST_SEED=" + std::to_string(seed));
    Pair pair(seed);
    Keys keys(&pair.random(), different);
    for (size_t i = 0; i < inserts; i++) {
        ASSERT_NO_FATAL_FAILURE(pair.Insert(keys.Next(), 1 + pair.random()() % most_number));
        if (i % (inserts / 8) == 0) {
            ASSERT_NO_FATAL_FAILURE(Walk(&pair, &keys, most_number, 2000));
        }
        const std::string key = keys.Next();
        const uint64_t number = pair.random()() % (most_number + 2);
        const size_t most = pair.random()() % 12;
        ASSERT_EQ(Got(pair.ours(), key, number, most), Got(pair.other(), key, number, most));
        const std::string entry = Entry(key, number, "");
        ASSERT_EQ(pair.ours()->Contains(entry.data()), pair.other()->Contains(entry.data()));
    }
    ASSERT_NO_FATAL_FAILURE(Walk(&pair, &keys, most_number, 20000));
}

// Put back: an Add that does not look for the number; InsertKeyWithHint of the base class, which always
// returns true; a Seek that takes the newest version of the key, or a SeekForPrev that takes the oldest;
// scanning from the last word's key where an iterator turns round at the first.
TEST(Rep, MovesAsTheSkipList)
{
    for (uint64_t round = 0; round < 4 * kFactor; round++) {
        // Few versions of many keys; a few of each; many versions of few keys.
        ASSERT_NO_FATAL_FAILURE(Compare(kSeed + 3 * round, 100000, 1000000, 4000));
        ASSERT_NO_FATAL_FAILURE(Compare(kSeed + 3 * round + 1, 1000, 12, 4000));
        ASSERT_NO_FATAL_FAILURE(Compare(kSeed + 3 * round + 2, 9, 5000, 4000));
    }
}

// Put back: a search that begins at the lowest link; an Above that walks from the newest version.
TEST(Rep, AHotKeyIsSearchedInLogarithmicTime)
{
    constexpr uint64_t kVersions = 200000;
    constexpr uint64_t kMostSteps = 250;
    for (const int order : {0, 1, 2}) {
        Ours ours;
        uint64_t most = 0;
        const auto step = [&most](const std::function<void()> &operation) {
            steps = 0;
            operation();
            most = std::max(most, steps);
        };
        for (uint64_t i = 0; i < kVersions; i++) {
            // Ascending, descending, and scattered (the multiplier is prime).
            const uint64_t number = 1 + (order == 0   ? i
                                         : order == 1 ? kVersions - 1 - i
                                                      : i * 7919 % kVersions);
            const KeyHandle handle = Store(&ours.rep, Entry("hot", number, ""));
            step([&] { ASSERT_TRUE(ours.rep.InsertKey(handle)); });
            ASSERT_LT(most, kMostSteps);
        }
        const std::unique_ptr<MemTableRep::Iterator> iterator(ours.rep.GetIterator(nullptr));
        for (uint64_t number = 1; number <= kVersions; number += 997) {
            step([&] { ASSERT_EQ(Got(&ours.rep, "hot", number, 1).size(), 1u); });
            step([&] { iterator->Seek(InternalKey("hot", number), nullptr); });
            ASSERT_EQ(KeyOf(iterator->key()).number, number);
            step([&] { iterator->SeekForPrev(InternalKey("hot", number), nullptr); });
            ASSERT_EQ(KeyOf(iterator->key()).number, number);
            step([&] { iterator->Prev(); });
            ASSERT_EQ(iterator->Valid(), number < kVersions);
            if (iterator->Valid()) {
                ASSERT_EQ(KeyOf(iterator->key()).number, number + 1);
            }
            step([&] { iterator->SeekToLast(); });
            ASSERT_EQ(KeyOf(iterator->key()).number, 1u);
            ASSERT_LT(most, kMostSteps);
        }
    }
}

// The next entry of a thread: keys that others insert as well, one of them most often, and now and
// then a duplicate.
std::string EntryOfThread(std::mt19937_64 *random, uint64_t thread, uint64_t threads, uint64_t i)
{
    Keys keys(random, 20);
    const uint64_t number = (*random)() % 16 == 0 ? 1 : 2 + i * threads + thread;
    return Entry((*random)() % 2 == 0 ? "hot" : keys.Next(), number, std::to_string(thread));
}

// Seeks, and steps in one direction: in order, and never to an entry before the target.
void ReadBeside(MemTableRep *rep, const std::atomic<bool> &done)
{
    std::mt19937_64 random(kSeed);
    Keys keys(&random, 20);
    while (!done) {
        const std::unique_ptr<MemTableRep::Iterator> iterator(rep->GetIterator(nullptr));
        const std::string target = InternalKey(keys.Next(), random() % 1000);
        const bool reverse = random() % 2 == 0;
        if (reverse)
            iterator->SeekForPrev(target, nullptr);
        else
            iterator->Seek(target, nullptr);
        VersionKey last = KeyOf(Slice(target));
        for (int i = 0; i < 100 && iterator->Valid(); i++) {
            const VersionKey key = KeyOf(iterator->key());
            const int order = EntryOrder::Compare(last, key);
            if (i == 0) {
                ASSERT_TRUE(reverse ? order >= 0 : order <= 0);
            } else {
                ASSERT_TRUE(reverse ? order > 0 : order < 0);
            }
            last = key;
            if (reverse)
                iterator->Prev();
            else
                iterator->Next();
        }
    }
}

// Put back: changing the list by a look-up and a put, without the leaf's lock between them.
TEST(Rep, ConcurrentInsertsLoseNothing)
{
    constexpr uint64_t kThreads = 3;
    const uint64_t inserts = 30000 * kFactor;
    Ours ours;
    std::atomic<uint64_t> accepted{0};
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (uint64_t thread = 0; thread < kThreads; thread++)
        threads.emplace_back([&, thread] {
            std::mt19937_64 random(kSeed * 100 + thread);
            void *hint = nullptr;
            for (uint64_t i = 0; i < inserts; i++) {
                const std::string entry = EntryOfThread(&random, thread, kThreads, i);
                const KeyHandle handle = Store(&ours.rep, entry);
                accepted += i % 2 == 0 ? ours.rep.InsertKeyConcurrently(handle)
                                       : ours.rep.InsertKeyWithHintConcurrently(handle, &hint);
                ASSERT_TRUE(ours.rep.Contains(entry.data()));
            }
        });
    std::thread reader([&] { ReadBeside(&ours.rep, done); });
    for (std::thread &thread : threads)
        thread.join();
    done = true;
    reader.join();

    // Everything that was accepted, and only one of each key and number.
    const std::unique_ptr<MemTableRep::Iterator> iterator(ours.rep.GetIterator(nullptr));
    uint64_t visited = 0;
    std::string last;
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), visited++) {
        const VersionKey key = KeyOf(iterator->key());
        const std::string internal = InternalKey(key.user_key.ToString(), key.number);
        if (visited > 0) {
            ASSERT_LT(EntryOrder::Compare(KeyOf(Slice(last)), key), 0);
        }
        last = internal;
    }
    EXPECT_EQ(visited, accepted);
}

} // namespace
} // namespace masstree_rocksdb::tests
