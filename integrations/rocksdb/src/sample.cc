// Estimates and samples of a memtable.

#include <algorithm>
#include <cmath>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "iterator.h"
#include "rep.h"

namespace masstree_rocksdb {

using ROCKSDB_NAMESPACE::Slice;

namespace {

// A range with fewer keys is counted; of a larger one, the parts into which pivots divide the tree.
constexpr size_t kMostCounted = 1024;
constexpr size_t kPivots = 255;
// A sample is one of so many entries behind a pivot.
constexpr uint32_t kSpread = 32;

std::minstd_rand &Random()
{
    thread_local std::minstd_rand random{std::random_device{}()};
    return random;
}

uint64_t RandomBelow(uint64_t bound)
{
    return std::uniform_int_distribution<uint64_t>(0, bound - 1)(Random());
}

struct PivotRange {
    Slice start;
    Slice end;
    uint64_t inside;
};

int32_t CountPivot(const void *key, size_t len, size_t, void *ctx) noexcept
{
    auto *range = static_cast<PivotRange *>(ctx);
    const Slice pivot(static_cast<const char *>(key), len);
    range->inside += pivot.compare(range->start) >= 0 && pivot.compare(range->end) < 0;
    return MASSTREE_VISIT_CONTINUE;
}

int32_t KeepPivot(const void *key, size_t len, size_t, void *ctx) noexcept
{
    try {
        static_cast<std::vector<std::string> *>(ctx)->emplace_back(static_cast<const char *>(key),
                                                                   len);
    } catch (const std::bad_alloc &) {
        return MASSTREE_NOMEM;
    }
    return MASSTREE_VISIT_CONTINUE;
}

} // namespace

uint64_t Rep::ApproximateNumEntries(const Slice &start, const Slice &end)
{
    PivotRange within{KeyOf(start).user_key, KeyOf(end).user_key, 0};
    if (within.start.compare(within.end) >= 0)
        return 0;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower = within.start.data();
    range.lower_len = within.start.size();
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.upper = within.end.data();
    range.upper_len = within.end.size();
    range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    range.limit = kMostCounted;
    size_t counted;
    int32_t status = masstree_count(tree_, nullptr, &range, &counted);
    if (status != MASSTREE_OK)
        Fail(status);
    uint64_t keys;
    status = masstree_len(tree_, &keys);
    if (status != MASSTREE_OK)
        Fail(status);
    uint64_t estimate = counted;
    if (counted == kMostCounted) {
        size_t pivots;
        status = masstree_pivots(tree_, nullptr, kPivots, CountPivot, &within, &pivots);
        if (status != MASSTREE_OK)
            Fail(status);
        estimate = std::max<uint64_t>(counted, keys * within.inside / (pivots + 1));
    }
    const double versions_per_key =
        1.0 + static_cast<double>(more_versions_.load(std::memory_order_relaxed)) /
                  static_cast<double>(std::max<uint64_t>(keys, 1));
    return static_cast<uint64_t>(static_cast<double>(estimate) * versions_per_key);
}

void Rep::UniqueRandomSample(uint64_t num_entries, uint64_t target_sample_size,
                             std::unordered_set<const char *> *entries)
{
    entries->clear();
    if (num_entries == 0 || target_sample_size == 0)
        return;
    if (target_sample_size > static_cast<uint64_t>(std::sqrt(static_cast<double>(num_entries))))
        SampleAll(num_entries, target_sample_size, entries);
    else
        SampleSome(target_sample_size, entries);
}

// Visits every entry, and takes each with the probability that is needed to get as many as wanted.
void Rep::SampleAll(uint64_t num_entries, uint64_t target, std::unordered_set<const char *> *entries)
{
    RepIterator iterator(tree_);
    uint64_t wanted = target;
    uint64_t left = num_entries;
    for (iterator.SeekToFirst(); iterator.Valid() && wanted > 0 && left > 0; iterator.Next(), left--)
        if (RandomBelow(left) < wanted) {
            entries->insert(iterator.key());
            wanted--;
        }
}

// Takes one of the entries behind each of as many pivots.
void Rep::SampleSome(uint64_t target, std::unordered_set<const char *> *entries)
{
    std::vector<std::string> pivots(1); // The first part begins with the empty key.
    const int32_t status =
        masstree_pivots(tree_, nullptr, static_cast<size_t>(target - 1), KeepPivot, &pivots, nullptr);
    if (status != MASSTREE_OK)
        Fail(status);
    RepIterator iterator(tree_);
    for (const std::string &pivot : pivots) {
        const std::string newest = pivot + std::string(kTagSize, '\xff');
        iterator.Seek(newest, nullptr);
        const char *taken = nullptr;
        for (uint64_t steps = 1 + RandomBelow(kSpread); steps > 0 && iterator.Valid(); steps--) {
            taken = iterator.key();
            iterator.Next();
        }
        if (taken != nullptr)
            entries->insert(taken);
    }
}

} // namespace masstree_rocksdb
