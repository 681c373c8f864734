// Two threads write: each its own keys, which it compares with a map, and transfers between accounts,
// whose sum a third thread compares at snapshots.
#include "model.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <rocksdb/write_batch.h>

namespace masstree_rocksdb::tests {

using ROCKSDB_NAMESPACE::Iterator;
using ROCKSDB_NAMESPACE::ReadOptions;
using ROCKSDB_NAMESPACE::Status;
using ROCKSDB_NAMESPACE::WriteBatch;
using ROCKSDB_NAMESPACE::WriteOptions;

namespace {

constexpr uint64_t kWriters = 2;
constexpr uint64_t kAccounts = 40;
constexpr int64_t kBalance = 1000;
constexpr uint64_t kKeys = 400;

std::string Account(uint64_t i)
{
    return "account" + std::to_string(i);
}

// Keys of the writers alternate.
std::string KeyOfWriter(uint64_t writer, uint64_t i)
{
    return "user" + std::string(i % 3 * 7, '0') + std::to_string(i) + "/" + std::to_string(writer);
}

class Threads {
  public:
    explicit Threads(const Config &config) : config_(config), database_(config), models_(kWriters)
    {
        for (uint64_t i = 0; i < kAccounts; i++)
            RequireOk(database_->Put(WriteOptions(), Account(i), std::to_string(kBalance)), "put");
    }

    void Run()
    {
        std::vector<std::thread> writers;
        for (uint64_t writer = 0; writer < kWriters; writer++)
            writers.emplace_back([this, writer] { Write(writer); });
        std::thread reader([this] { Read(); });
        for (std::thread &writer : writers)
            writer.join();
        done_ = true;
        reader.join();
        CheckAll();
        database_.Close();
        database_.Open();
        CheckAll();
        std::printf("%s: %llu sums of snapshots\n", database_.Description().c_str(),
                    static_cast<unsigned long long>(sums_.load()));
    }

  private:
    void Write(uint64_t writer)
    {
        std::mt19937_64 random(config_.seed * 10 + writer);
        Contents &model = models_[writer];
        for (uint64_t step = 0; step < config_.thread_steps; step++) {
            if (random() % 4 == 0)
                Transfer(writer, &random);
            WriteBatch batch;
            for (uint64_t changes = 1 + random() % 3; changes > 0; changes--) {
                const std::string key = KeyOfWriter(writer, random() % kKeys);
                const std::string value = std::to_string(step);
                switch (random() % 4) {
                case 0:
                    RequireOk(batch.Delete(key), "delete");
                    model.erase(key);
                    break;
                case 1: {
                    RequireOk(batch.Merge(key, value), "merge");
                    const auto found = model.find(key);
                    model[key] = found == model.end() ? value : found->second + "," + value;
                    break;
                }
                default:
                    RequireOk(batch.Put(key, value), "put");
                    model[key] = value;
                }
            }
            WriteOptions options;
            options.memtable_insert_hint_per_batch = random() % 2 == 0;
            RequireOk(database_->Write(options, &batch), "write");
            CheckGet(model, KeyOfWriter(writer, random() % kKeys));
        }
    }

    // Moves an amount between two accounts that only this writer changes.
    void Transfer(uint64_t writer, std::mt19937_64 *random)
    {
        const uint64_t from = (*random)() % (kAccounts / kWriters) * kWriters + writer;
        const uint64_t to = (*random)() % (kAccounts / kWriters) * kWriters + writer;
        const auto amount = static_cast<int64_t>((*random)() % 10);
        if (from == to)
            return;
        WriteBatch batch;
        RequireOk(batch.Put(Account(from), std::to_string(BalanceOf(from) - amount)), "put");
        RequireOk(batch.Put(Account(to), std::to_string(BalanceOf(to) + amount)), "put");
        RequireOk(database_->Write(WriteOptions(), &batch), "write");
    }

    int64_t BalanceOf(uint64_t account)
    {
        std::string value;
        RequireOk(database_->Get(ReadOptions(), Account(account), &value), "get");
        return std::stoll(value);
    }

    void CheckGet(const Contents &model, const std::string &key)
    {
        std::string value;
        const Status status = database_->Get(ReadOptions(), key, &value);
        const auto expected = model.find(key);
        if (expected == model.end()) {
            REQUIRE(status.IsNotFound(), "key %s: %s", key.c_str(), status.ToString().c_str());
        } else {
            RequireOk(status, "get");
            REQUIRE(value == expected->second, "key %s: %s instead of %s", key.c_str(), value.c_str(),
                    expected->second.c_str());
        }
    }

    void Read()
    {
        // Iterators do not wait for updates in place.
        if (database_.updates_in_place())
            return;
        // Without an order of writes, a snapshot may see half of a batch: that is RocksDB's contract.
        const bool has_order = config_.mode != WriteMode::kUnordered;
        std::mt19937_64 random(config_.seed);
        while (!done_) {
            ReadOptions options;
            options.total_order_seek = true;
            options.snapshot = database_->GetSnapshot();
            int64_t sum = 0;
            uint64_t accounts = 0;
            const std::unique_ptr<Iterator> iterator(database_->NewIterator(options));
            const bool reverse = random() % 2 == 0;
            if (reverse)
                iterator->SeekForPrev("account~");
            else
                iterator->Seek("account");
            while (iterator->Valid() && iterator->key().starts_with("account")) {
                sum += std::stoll(iterator->value().ToString());
                accounts++;
                if (reverse)
                    iterator->Prev();
                else
                    iterator->Next();
            }
            RequireOk(iterator->status(), "iterator");
            REQUIRE(accounts == kAccounts, "%llu accounts", static_cast<unsigned long long>(accounts));
            REQUIRE(!has_order || sum == static_cast<int64_t>(kAccounts) * kBalance, "sum %lld",
                    static_cast<long long>(sum));
            database_->ReleaseSnapshot(options.snapshot);
            sums_++;
        }
    }

    void CheckAll()
    {
        int64_t sum = 0;
        for (uint64_t i = 0; i < kAccounts; i++)
            sum += BalanceOf(i);
        REQUIRE(sum == static_cast<int64_t>(kAccounts) * kBalance, "sum %lld",
                static_cast<long long>(sum));
        size_t expected = kAccounts;
        for (const Contents &model : models_)
            expected += model.size();
        for (uint64_t writer = 0; writer < kWriters; writer++)
            for (uint64_t i = 0; i < kKeys; i++)
                CheckGet(models_[writer], KeyOfWriter(writer, i));
        ReadOptions options;
        options.total_order_seek = true;
        const std::unique_ptr<Iterator> iterator(database_->NewIterator(options));
        size_t count = 0;
        for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next())
            count++;
        REQUIRE(count == expected, "%zu keys instead of %zu", count, expected);
    }

    Config config_;
    Database database_;
    std::vector<Contents> models_;
    std::atomic<bool> done_{false};
    std::atomic<uint64_t> sums_{0};
};

} // namespace

void CompareThreads(const Config &config)
{
    Threads(config).Run();
}

} // namespace masstree_rocksdb::tests
