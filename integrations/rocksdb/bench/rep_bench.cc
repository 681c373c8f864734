// The memtable beside RocksDB's skip list, without a database around them: CPU time of an insert, a
// get, a step forwards and backwards, and bytes an entry. The two take turns.
//
// usage: rep_bench [--keys N] [--key-size N] [--value-size N] [--rounds N] [--order random|sequential]
//                  [--versions N] [--threads N]
//
// --versions: each key is inserted so often. --threads: so many threads insert and get concurrently.
// The skip list is that of the librocksdb with which the program is linked; Debian's is compiled with
// assertions, which make it slower.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../tests/support.h"
#include "rep.h"

using namespace masstree_rocksdb;
using namespace masstree_rocksdb::tests;
using ROCKSDB_NAMESPACE::KeyHandle;
using ROCKSDB_NAMESPACE::LookupKey;
using ROCKSDB_NAMESPACE::SkipListFactory;

namespace {

// As RocksDB's: unaligned memory from one end of a block, aligned memory from the other. One for each
// thread, so that no lock is measured.
class BumpArena final : public Allocator {
  public:
    char *Allocate(size_t bytes) override
    {
        Block &block = Room(bytes);
        return block.high -= bytes;
    }
    char *AllocateAligned(size_t bytes, size_t, ROCKSDB_NAMESPACE::Logger *) override
    {
        bytes = (bytes + 7) & ~size_t{7};
        Block &block = Room(bytes);
        char *memory = block.low;
        block.low += bytes;
        return memory;
    }
    size_t BlockSize() const override { return kBlock; }

    ~BumpArena() override
    {
        for (Block *block : all_)
            delete block;
    }

    size_t used() const
    {
        size_t used = 0;
        for (const Block *block : all_)
            used += kBlock - static_cast<size_t>(block->high - block->low);
        return used;
    }

  private:
    static constexpr size_t kBlock = 1 << 20;
    struct Block {
        std::unique_ptr<char[]> memory{new char[kBlock]};
        char *low = memory.get();
        char *high = low + kBlock;
    };

    // The thread's block of the arena with which it allocated last. A number that does not recur
    // identifies the arena.
    Block &Room(size_t bytes)
    {
        thread_local Block *mine = nullptr;
        thread_local uint64_t of = 0;
        if (of != number_ || static_cast<size_t>(mine->high - mine->low) < bytes) {
            mine = new Block;
            of = number_;
            const std::lock_guard<std::mutex> lock(mutex_);
            all_.push_back(mine);
        }
        return *mine;
    }

    static uint64_t Next()
    {
        static uint64_t next = 0;
        return ++next;
    }

    const uint64_t number_ = Next();
    std::mutex mutex_;
    std::vector<Block *> all_;
};

struct Setting {
    uint64_t keys = 1000000;
    size_t key_size = 16;
    size_t value_size = 100;
    uint64_t rounds = 5;
    uint64_t versions = 1;
    uint64_t threads = 1;
    bool sequential = false;
};

double CpuSeconds()
{
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Keys of one size, one behind the other in the order of their use: reading them misses no cache.
class KeyRow {
  public:
    KeyRow(size_t size, uint64_t count) : size_(size), bytes_(size * count, '0') {}
    Slice operator[](uint64_t i) const { return Slice(bytes_.data() + i * size_, size_); }
    void Set(uint64_t i, const Slice &key) { std::memcpy(&bytes_[i * size_], key.data(), size_); }

  private:
    size_t size_;
    std::string bytes_;
};

// 8 bytes, most significant first, and zeros, as in db_bench; longer ones `user`, 20 digits, zeros.
KeyRow MakeKeys(const Setting &setting)
{
    KeyRow keys(setting.key_size, setting.keys);
    std::mt19937_64 random(1);
    for (uint64_t i = 0; i < setting.keys; i++) {
        std::string key(setting.key_size, '0');
        const uint64_t n = setting.sequential ? i : random();
        if (setting.key_size <= 16) {
            for (size_t byte = 0; byte < std::min<size_t>(8, setting.key_size); byte++)
                key[byte] = static_cast<char>(n >> (56 - 8 * byte));
        } else {
            char digits[32];
            std::snprintf(digits, sizeof digits, "user%020llu", static_cast<unsigned long long>(n));
            key.replace(0, std::min<size_t>(24, key.size()), digits, std::min<size_t>(24, key.size()));
        }
        keys.Set(i, key);
    }
    return keys;
}

KeyRow Shuffled(const Setting &setting, const KeyRow &keys)
{
    std::vector<uint32_t> order(setting.keys);
    for (uint32_t i = 0; i < order.size(); i++)
        order[i] = i;
    std::shuffle(order.begin(), order.end(), std::mt19937_64(2));
    KeyRow shuffled(setting.key_size, setting.keys);
    for (uint64_t i = 0; i < order.size(); i++)
        shuffled.Set(i, keys[order[i]]);
    return shuffled;
}

using Results = std::map<std::string, std::vector<double>>;

bool Touch(void *arg, const char *entry)
{
    const Slice key = KeyOf(entry).user_key;
    *static_cast<uint64_t *>(arg) += static_cast<unsigned char>(key.data()[key.size() + kTagSize]);
    return false;
}

class Run {
  public:
    Run(const Setting &setting, const KeyRow &keys, const KeyRow &sought, Results *results)
        : setting_(setting), keys_(keys), sought_(sought), results_(*results)
    {
    }

    void Measure(MemTableRep *rep, BumpArena *arena)
    {
        const double operations = static_cast<double>(setting_.keys * setting_.versions);
        const auto timed = [&](const char *name, double count, auto &&work) {
            const double before = CpuSeconds();
            work();
            results_[name].push_back((CpuSeconds() - before) / count * 1e9);
        };
        timed("insert", operations, [&] { InThreads([&](uint64_t thread) { Insert(rep, thread); }); });
        results_["bytes"].push_back(
            static_cast<double>(arena->used() + TreeBytes(rep)) / operations);
        for (int round = 0; round < 2; round++)
            timed("get", static_cast<double>(setting_.keys),
                  [&] { InThreads([&](uint64_t thread) { Get(rep, thread); }); });
        const std::unique_ptr<MemTableRep::Iterator> iterator(rep->GetIterator(nullptr));
        for (int round = 0; round < 2; round++) {
            timed("next", operations, [&] {
                for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next())
                    sum_ += KeyOf(iterator->key()).number;
            });
            timed("prev", operations, [&] {
                for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev())
                    sum_ += KeyOf(iterator->key()).number;
            });
        }
        timed("seek", static_cast<double>(setting_.keys / 10), [&] {
            for (uint64_t i = 0; i < setting_.keys / 10; i++) {
                const LookupKey lookup(sought_[i], kMostNumber);
                const std::unique_ptr<MemTableRep::Iterator> seeking(rep->GetIterator(nullptr));
                seeking->Seek(lookup.internal_key(), lookup.memtable_key().data());
                sum_ += KeyOf(seeking->key()).number;
            }
        });
    }

    uint64_t sum() const { return sum_; }

  private:
    template <class Work> void InThreads(Work &&work)
    {
        if (setting_.threads == 1)
            return work(0);
        std::vector<std::thread> threads;
        for (uint64_t thread = 0; thread < setting_.threads; thread++)
            threads.emplace_back([&, thread] { work(thread); });
        for (std::thread &thread : threads)
            thread.join();
    }

    // Encodes an entry as MemTable::Add does.
    KeyHandle Encode(MemTableRep *rep, const Slice &key, uint64_t number)
    {
        const size_t len = key.size() + setting_.value_size + kTagSize + 2;
        char *to;
        const KeyHandle handle = rep->Allocate(len, &to);
        *to++ = static_cast<char>(key.size() + kTagSize);
        std::memcpy(to, key.data(), key.size());
        to += key.size();
        const uint64_t tag = number << 8 | 1;
        std::memcpy(to, &tag, kTagSize);
        to += kTagSize;
        *to++ = static_cast<char>(setting_.value_size);
        std::memset(to, 'v', setting_.value_size);
        return handle;
    }

    void Insert(MemTableRep *rep, uint64_t thread)
    {
        for (uint64_t version = 0; version < setting_.versions; version++)
            for (uint64_t i = thread; i < setting_.keys; i += setting_.threads) {
                const KeyHandle handle = Encode(rep, keys_[i], 1 + version * setting_.keys + i);
                if (setting_.threads == 1)
                    rep->InsertKey(handle);
                else
                    rep->InsertKeyConcurrently(handle);
            }
    }

    void Get(MemTableRep *rep, uint64_t thread)
    {
        uint64_t sum = 0;
        for (uint64_t i = thread; i < setting_.keys; i += setting_.threads) {
            const LookupKey lookup(sought_[i], kMostNumber);
            rep->Get(lookup, &sum, Touch);
        }
        if (sum == 0)
            std::abort();
    }

    // What the memtable has allocated beside its arena.
    static uint64_t TreeBytes(MemTableRep *rep)
    {
        masstree_stats_t stats = MASSTREE_STATS_INIT;
        if (rep->ApproximateMemoryUsage() == 0)
            return 0;
        masstree_stats(static_cast<Rep *>(rep)->tree(), nullptr, &stats);
        return stats.pool_bytes;
    }

    const Setting &setting_;
    const KeyRow &keys_;
    const KeyRow &sought_;
    Results &results_;
    uint64_t sum_ = 0;
};

double Median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

Setting SettingOf(int argc, char **argv)
{
    Setting setting;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
        if (name == "--keys")
            setting.keys = value;
        else if (name == "--key-size")
            setting.key_size = value;
        else if (name == "--value-size")
            setting.value_size = value;
        else if (name == "--rounds")
            setting.rounds = value;
        else if (name == "--versions")
            setting.versions = value;
        else if (name == "--threads")
            setting.threads = value;
        else if (name == "--order")
            setting.sequential = std::strcmp(argv[i + 1], "sequential") == 0;
    }
    return setting;
}

} // namespace

int main(int argc, char **argv)
{
    const Setting setting = SettingOf(argc, argv);
    if (setting.key_size + kTagSize > 127 || setting.value_size > 127) {
        std::fprintf(stderr, "rep_bench: keys of at most 119 bytes, values of at most 127\n");
        return 2;
    }
    const KeyRow keys = MakeKeys(setting);
    const KeyRow sought = Shuffled(setting, keys);
    Results ours, other;
    for (uint64_t round = 0; round < setting.rounds; round++) {
        {
            BumpArena arena;
            masstree_t *tree;
            if (masstree_rocksdb::CreateTree(&tree) != MASSTREE_OK)
                return 1;
            Rep rep(&arena, tree);
            Run(setting, keys, sought, &ours).Measure(&rep, &arena);
        }
        BumpArena arena;
        const EntryOrder order;
        const std::unique_ptr<MemTableRep> rep(
            SkipListFactory().CreateMemTableRep(order, &arena, nullptr, nullptr));
        Run(setting, keys, sought, &other).Measure(rep.get(), &arena);
    }
    std::printf("%llu %s keys of %zu bytes, values of %zu, %llu versions, %llu threads\n",
                static_cast<unsigned long long>(setting.keys),
                setting.sequential ? "sequential" : "random", setting.key_size, setting.value_size,
                static_cast<unsigned long long>(setting.versions),
                static_cast<unsigned long long>(setting.threads));
    std::printf("%-8s %10s %10s %10s\n", "", "masstree", "skip list", "ratio");
    for (const char *name : {"insert", "get", "seek", "next", "prev"})
        std::printf("%-8s %7.0f ns %7.0f ns %10.2f\n", name, Median(ours[name]), Median(other[name]),
                    Median(other[name]) / Median(ours[name]));
    std::printf("%-8s %10.1f %10.1f %10.2f\n", "bytes", Median(ours["bytes"]), Median(other["bytes"]),
                Median(ours["bytes"]) / Median(other["bytes"]));
    return 0;
}
