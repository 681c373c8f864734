// One thread's random operations, compared with a map for each column family, and with copies of the
// maps for each snapshot.
#include "model.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>

#include <rocksdb/write_batch.h>

namespace masstree_rocksdb::tests {

using ROCKSDB_NAMESPACE::Iterator;
using ROCKSDB_NAMESPACE::ReadOptions;
using ROCKSDB_NAMESPACE::Slice;
using ROCKSDB_NAMESPACE::Snapshot;
using ROCKSDB_NAMESPACE::Status;
using ROCKSDB_NAMESPACE::WriteBatch;
using ROCKSDB_NAMESPACE::WriteOptions;

namespace {

constexpr size_t kMostSnapshots = 4;
constexpr size_t kPrefix = 3;
// Keys that are only put once and then deleted by SingleDelete, which permits nothing else.
const char kSinglePrefix = '~';

struct Saved {
    const Snapshot *snapshot;
    std::vector<Contents> contents;
};

class Comparison {
  public:
    explicit Comparison(const Config &config)
        : config_(config), database_(config), contents_(database_.families()), random_(config.seed)
    {
    }

    void Run();

  private:
    uint64_t Below(uint64_t bound) { return random_() % bound; }
    size_t Family() { return Below(contents_.size()); }
    bool IsReverse(size_t family) const { return family + 1 == contents_.size(); }

    std::string Key();
    std::string Value();

    size_t Change(WriteBatch *batch);
    void Write();
    void TakeSnapshot();
    void ReleaseSnapshot();
    void ReleaseSnapshots();
    void Reopen();

    void Check(const std::vector<Contents> &contents, const Snapshot *snapshot);
    void CheckGets(size_t family, const Contents &contents, const ReadOptions &options);
    void CheckScans(size_t family, const Contents &contents, const ReadOptions &options);
    void CheckMoves(size_t family, const Contents &contents, const ReadOptions &options);
    void CheckPrefix(size_t family, const Contents &contents, ReadOptions options);
    void CheckAll();

    Config config_;
    Database database_;
    std::vector<Contents> contents_;
    std::deque<Saved> snapshots_;
    std::mt19937_64 random_;
    uint64_t values_ = 0;
    uint64_t compared_ = 0;
};

std::string Comparison::Key()
{
    // Few enough that keys get many versions; of several lengths, some are prefixes of others.
    const uint64_t n = Below(Below(2) == 0 ? 30 : 2000);
    const std::string digits = std::to_string(n);
    switch (n % 5) {
    case 0:
        return digits;
    case 1:
        return "abc" + digits;
    case 2:
        return "a prefix of more than 16 bytes " + digits;
    case 3:
        return std::string(n % 24, 'k') + std::string(1, '\0');
    default:
        return "user" + std::string(12 - digits.size(), '0') + digits;
    }
}

std::string Comparison::Value()
{
    const std::string value = std::to_string(values_++);
    return Below(4) == 0 ? value + std::string(Below(300), 'v') : value;
}

// Adds a change to a batch, and makes it in the maps. Returns the family.
size_t Comparison::Change(WriteBatch *batch)
{
    const size_t i = Family();
    auto *family = database_.family(i);
    Contents &contents = contents_[i];
    const std::string key = Key();
    // A range that was deleted before an update in place would cover the new value.
    const uint64_t kind = Below(database_.updates_in_place() ? 95 : 100);
    if (kind < 50) {
        const std::string value = Value();
        RequireOk(batch->Put(family, key, value), "put");
        contents[key] = value;
    } else if (kind < 68) {
        RequireOk(batch->Delete(family, key), "delete");
        contents.erase(key);
    } else if (kind < 83) {
        const std::string value = std::to_string(values_++);
        RequireOk(batch->Merge(family, key, value), "merge");
        const auto found = contents.find(key);
        if (found == contents.end())
            contents[key] = value;
        else
            found->second += "," + value;
    } else if (kind < 95) {
        const std::string once = kSinglePrefix + std::to_string(Below(200));
        if (contents.erase(once) != 0) {
            RequireOk(batch->SingleDelete(family, once), "single delete");
        } else {
            contents[once] = Value();
            RequireOk(batch->Put(family, once, contents[once]), "put");
        }
    } else {
        std::string first = key;
        std::string last = Key();
        if ((first > last) != IsReverse(i))
            std::swap(first, last);
        RequireOk(batch->DeleteRange(family, first, last), "delete range");
        // In the reverse order, the range is (last, first] of the map.
        if (IsReverse(i))
            contents.erase(contents.upper_bound(last), contents.upper_bound(first));
        else
            contents.erase(contents.lower_bound(first), contents.lower_bound(last));
    }
    return i;
}

void Comparison::Write()
{
    WriteBatch batch;
    const uint64_t changes = Below(4) == 0 ? 1 + Below(20) : 1;
    // Not for skip lists: see OptionsOf.
    bool has_skip_lists = config_.memtable == "skip_list";
    for (uint64_t i = 0; i < changes; i++)
        has_skip_lists |= IsReverse(Change(&batch));
    WriteOptions options;
    options.memtable_insert_hint_per_batch = !has_skip_lists && Below(2) == 0;
    RequireOk(database_->Write(options, &batch), "write");
}

void Comparison::TakeSnapshot()
{
    // Updates in place change what snapshots see.
    if (database_.updates_in_place())
        return;
    if (snapshots_.size() == kMostSnapshots)
        ReleaseSnapshot();
    snapshots_.push_back({database_->GetSnapshot(), contents_});
}

void Comparison::ReleaseSnapshot()
{
    database_->ReleaseSnapshot(snapshots_.front().snapshot);
    snapshots_.pop_front();
}

void Comparison::ReleaseSnapshots()
{
    while (!snapshots_.empty())
        ReleaseSnapshot();
}

// The write-ahead log has what was not flushed.
void Comparison::Reopen()
{
    ReleaseSnapshots();
    if (Below(2) == 0)
        RequireOk(database_->Flush(ROCKSDB_NAMESPACE::FlushOptions(), database_.family(Family())),
                  "flush");
    database_.Close();
    database_.Open();
}

void Comparison::CheckGets(size_t family, const Contents &contents, const ReadOptions &options)
{
    std::vector<std::string> keys;
    std::vector<Slice> slices;
    for (int i = 0; i < 6; i++)
        keys.push_back(Below(8) == 0 ? kSinglePrefix + std::to_string(Below(200)) : Key());
    for (const std::string &key : keys)
        slices.emplace_back(key);
    std::vector<std::string> values;
    const std::vector<ROCKSDB_NAMESPACE::ColumnFamilyHandle *> handles(keys.size(),
                                                                       database_.family(family));
    const std::vector<Status> statuses = database_->MultiGet(options, handles, slices, &values);
    for (size_t i = 0; i < keys.size(); i++) {
        std::string value;
        const Status status = database_->Get(options, database_.family(family), keys[i], &value);
        const auto expected = contents.find(keys[i]);
        REQUIRE(status.IsNotFound() == (expected == contents.end()), "key %s: %s", keys[i].c_str(),
                status.ToString().c_str());
        REQUIRE(statuses[i].IsNotFound() == status.IsNotFound(), "key %s: %s", keys[i].c_str(),
                statuses[i].ToString().c_str());
        if (expected != contents.end()) {
            RequireOk(status, "get");
            RequireOk(statuses[i], "multi-get");
            REQUIRE(value == expected->second, "key %s: %s instead of %s", keys[i].c_str(),
                    value.c_str(), expected->second.c_str());
            REQUIRE(values[i] == value, "key %s", keys[i].c_str());
        }
        compared_++;
    }
}

// All keys of a family, in the order of its comparator.
std::vector<const Contents::value_type *> Ordered(const Contents &contents, bool reverse)
{
    std::vector<const Contents::value_type *> ordered;
    for (const auto &item : contents)
        ordered.push_back(&item);
    if (reverse)
        std::reverse(ordered.begin(), ordered.end());
    return ordered;
}

void RequireAt(const Iterator &iterator, const Contents::value_type *expected)
{
    RequireOk(iterator.status(), "iterator");
    REQUIRE(iterator.Valid() == (expected != nullptr), "expected %s",
            expected == nullptr ? "the end" : expected->first.c_str());
    if (expected == nullptr)
        return;
    REQUIRE(iterator.key() == Slice(expected->first), "%s instead of %s",
            iterator.key().ToString().c_str(), expected->first.c_str());
    REQUIRE(iterator.value() == Slice(expected->second), "key %s: %s instead of %s",
            expected->first.c_str(), iterator.value().ToString().c_str(), expected->second.c_str());
}

void Comparison::CheckScans(size_t family, const Contents &contents, const ReadOptions &options)
{
    const auto ordered = Ordered(contents, IsReverse(family));
    const std::unique_ptr<Iterator> iterator(
        database_->NewIterator(options, database_.family(family)));
    iterator->SeekToFirst();
    for (const auto *item : ordered) {
        RequireAt(*iterator, item);
        iterator->Next();
    }
    RequireAt(*iterator, nullptr);
    compared_ += ordered.size();
    if (database_.updates_in_place())
        return;
    iterator->SeekToLast();
    for (auto item = ordered.rbegin(); item != ordered.rend(); item++) {
        RequireAt(*iterator, *item);
        iterator->Prev();
    }
    RequireAt(*iterator, nullptr);
    compared_ += ordered.size();
}

// Seeks, and steps in both directions.
void Comparison::CheckMoves(size_t family, const Contents &contents, const ReadOptions &options)
{
    const auto ordered = Ordered(contents, IsReverse(family));
    const std::unique_ptr<Iterator> iterator(
        database_->NewIterator(options, database_.family(family)));
    const auto size = static_cast<int64_t>(ordered.size());
    for (int seek = 0; seek < 4; seek++) {
        const std::string target = Key();
        // The first key at or behind the target.
        const auto before = [&](const Contents::value_type *item, const std::string &key) {
            return IsReverse(family) ? item->first > key : item->first < key;
        };
        int64_t at = std::lower_bound(ordered.begin(), ordered.end(), target, before) - ordered.begin();
        if (database_.updates_in_place() || Below(2) == 0) {
            iterator->Seek(target);
        } else {
            iterator->SeekForPrev(target);
            if (at == size || ordered[static_cast<size_t>(at)]->first != target)
                at--;
        }
        for (int step = 0; step < 12; step++) {
            const bool inside = at >= 0 && at < size;
            RequireAt(*iterator, inside ? ordered[static_cast<size_t>(at)] : nullptr);
            if (!inside)
                break;
            const bool forward = database_.updates_in_place() || Below(3) != 0;
            at += forward ? 1 : -1;
            if (forward)
                iterator->Next();
            else
                iterator->Prev();
            compared_++;
        }
    }
}

// Keys with the prefix of the target, by the memtable's prefix iterator.
void Comparison::CheckPrefix(size_t family, const Contents &contents, ReadOptions options)
{
    const std::string target = Key();
    if (!database_.has_prefixes() || IsReverse(family) || target.size() < kPrefix)
        return;
    options.total_order_seek = false;
    options.prefix_same_as_start = true;
    const std::unique_ptr<Iterator> iterator(
        database_->NewIterator(options, database_.family(family)));
    iterator->Seek(target);
    for (auto item = contents.lower_bound(target);
         item != contents.end() && item->first.compare(0, kPrefix, target, 0, kPrefix) == 0; item++) {
        RequireAt(*iterator, &*item);
        iterator->Next();
        compared_++;
    }
    RequireAt(*iterator, nullptr);
}

void Comparison::Check(const std::vector<Contents> &contents, const Snapshot *snapshot)
{
    ReadOptions options;
    options.snapshot = snapshot;
    options.total_order_seek = true;
    const size_t family = Family();
    CheckGets(family, contents[family], options);
    CheckMoves(family, contents[family], options);
    CheckPrefix(family, contents[family], options);
    if (Below(20) == 0)
        CheckScans(family, contents[family], options);
}

void Comparison::CheckAll()
{
    ReadOptions options;
    options.total_order_seek = true;
    for (size_t family = 0; family < contents_.size(); family++)
        CheckScans(family, contents_[family], options);
}

void Comparison::Run()
{
    for (uint64_t step = 0; step < config_.steps; step++) {
        Write();
        const uint64_t what = Below(1000);
        if (what < 100)
            Check(contents_, nullptr);
        else if (what < 150 && !snapshots_.empty())
            for (const Saved &saved : snapshots_)
                Check(saved.contents, saved.snapshot);
        else if (what < 170)
            TakeSnapshot();
        else if (what < 175)
            RequireOk(database_->Flush(ROCKSDB_NAMESPACE::FlushOptions(),
                                       database_.family(Family())),
                      "flush");
        else if (what < 177)
            Reopen();
    }
    CheckAll();
    Reopen();
    CheckAll();
    ReleaseSnapshots();
    std::printf("%s: %llu answers compared\n", database_.Description().c_str(),
                static_cast<unsigned long long>(compared_));
}

} // namespace

void CompareWithModel(const Config &config)
{
    Comparison(config).Run();
}

} // namespace masstree_rocksdb::tests
