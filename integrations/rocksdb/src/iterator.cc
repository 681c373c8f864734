#include "iterator.h"

#include <algorithm>

#include "rep.h"

namespace masstree_rocksdb {

using ROCKSDB_NAMESPACE::Slice;

namespace {

constexpr size_t kCacheLine = 64;

VersionKey Target(const Slice &internal_key, const char *entry)
{
    return entry != nullptr ? KeyOf(entry) : KeyOf(internal_key);
}

struct Taken {
    uint64_t *words;
    size_t count;
};

int32_t TakeWord(const void *, size_t, uint64_t word, void *ctx) noexcept
{
    auto *taken = static_cast<Taken *>(ctx);
    taken->words[taken->count++] = word;
    __builtin_prefetch(Versions(word).first_read());
    return MASSTREE_VISIT_CONTINUE;
}

} // namespace

bool RepIterator::Scan(const Slice &from, uint32_t bound, bool reverse)
{
    masstree_range_t range = MASSTREE_RANGE_INIT;
    range.flags = MASSTREE_SCAN_VALUES_ONLY;
    range.limit = wanted_;
    if (reverse) {
        range.flags |= MASSTREE_SCAN_REVERSE;
        range.upper = from.data();
        range.upper_len = from.size();
        range.upper_bound = bound;
    } else {
        range.lower = from.data();
        range.lower_len = from.size();
        range.lower_bound = bound;
    }
    Taken taken{words_, 0};
    const int32_t status = masstree_scan(tree_, nullptr, &range, TakeWord, &taken, nullptr);
    if (status != MASSTREE_OK)
        Fail(status);
    count_ = taken.count;
    index_ = 0;
    reverse_ = reverse;
    wanted_ = std::min(4 * wanted_, kMostWords);
    return count_ != 0;
}

void RepIterator::Reset()
{
    at_ = Position{};
    wanted_ = kFirstWords;
    newer_count_ = 0;
}

bool RepIterator::Step(bool reverse)
{
    if (reverse != reverse_) {
        if (index_ == 0)
            return Continue(reverse);
        index_--;
        return true;
    }
    if (index_ + 1 == count_)
        return Continue(reverse);
    index_++;
    PrefetchAhead();
    return true;
}

bool RepIterator::Continue(bool reverse)
{
    if (reverse != reverse_)
        wanted_ = kFirstWords;
    return Scan(KeyOf(at_.entry).user_key, MASSTREE_BOUND_EXCLUSIVE, reverse);
}

void RepIterator::PrefetchAhead() const
{
    if (index_ + kAhead < count_) {
        const Versions ahead(words_[index_ + kAhead]);
        if (ahead.is_single()) {
            __builtin_prefetch(static_cast<const char *>(ahead.first_read()) + kCacheLine);
        } else {
            // The head of a list was prefetched when its word was taken.
            const Position newest = ahead.Newest();
            __builtin_prefetch(newest.entry);
            __builtin_prefetch(newest.node->older());
        }
    }
}

void RepIterator::Next()
{
    newer_count_ = 0;
    if (at_.node != nullptr) {
        if (const Node *older = at_.node->older()) {
            at_ = {older->entry, older};
            __builtin_prefetch(older->older());
            return;
        }
    }
    at_ = Step(false) ? versions().Newest() : Position{};
}

void RepIterator::Prev()
{
    if (newer_count_ == 0 && at_.node != nullptr)
        newer_count_ = versions().Newer(at_.node->number(), newer_);
    if (newer_count_ != 0) {
        const Node *newer = newer_[--newer_count_];
        at_ = {newer->entry, newer};
        return;
    }
    at_ = Step(true) ? versions().Oldest() : Position{};
    // At once, for the prefetches.
    if (at_.node != nullptr)
        newer_count_ = versions().Newer(at_.node->number(), newer_);
}

void RepIterator::Seek(const Slice &internal_key, const char *entry)
{
    const VersionKey target = Target(internal_key, entry);
    Reset();
    if (!Scan(target.user_key, MASSTREE_BOUND_INCLUSIVE, false))
        return;
    at_ = versions().Newest();
    if (KeyOf(at_.entry).user_key != target.user_key)
        return;
    const Position found = versions().AtMost(target.number);
    if (found.entry != nullptr)
        at_ = found;
    else
        at_ = Step(false) ? versions().Newest() : Position{};
}

void RepIterator::SeekForPrev(const Slice &internal_key, const char *entry)
{
    const VersionKey target = Target(internal_key, entry);
    Reset();
    if (!Scan(target.user_key, MASSTREE_BOUND_INCLUSIVE, true))
        return;
    at_ = versions().Oldest();
    // The versions of the key with at least the target's number are before it or at it; all are if that
    // is 0.
    if (KeyOf(at_.entry).user_key != target.user_key || target.number == 0)
        return;
    const Position found = versions().Above(target.number - 1);
    if (found.entry != nullptr)
        at_ = found;
    else
        at_ = Step(true) ? versions().Oldest() : Position{};
}

void RepIterator::SeekToFirst()
{
    Reset();
    if (Scan(Slice(), MASSTREE_BOUND_OPEN, false))
        at_ = versions().Newest();
}

void RepIterator::SeekToLast()
{
    Reset();
    if (Scan(Slice(), MASSTREE_BOUND_OPEN, true))
        at_ = versions().Oldest();
}

} // namespace masstree_rocksdb
