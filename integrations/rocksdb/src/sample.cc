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
    const Slice from = KeyOf(start).user_key;
    const Slice to = KeyOf(end).user_key;
    if (from.compare(to) >= 0)
        return 0;
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.lower = from.data();
    range.lower_len = from.size();
    range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
    range.upper = to.data();
    range.upper_len = to.size();
    range.upper_bound = MASSTREE_BOUND_EXCLUSIVE;
    range.flags = MASSTREE_SCAN_KEYS_ONLY;
    masstree_estimate_t estimate = MASSTREE_ESTIMATE_INIT;
    int32_t status = masstree_estimate(tree_, nullptr, &range, &estimate);
    if (status != MASSTREE_OK)
        Fail(status);
    uint64_t keys;
    status = masstree_len(tree_, &keys);
    if (status != MASSTREE_OK)
        Fail(status);
    const double versions_per_key =
        1.0 + static_cast<double>(more_versions_.load(std::memory_order_relaxed)) /
                  static_cast<double>(std::max<uint64_t>(keys, 1));
    return static_cast<uint64_t>(static_cast<double>(estimate.keys) * versions_per_key);
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
