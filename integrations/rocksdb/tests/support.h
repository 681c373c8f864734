// What the tests of the memtable share: entries, an arena, the order of entries.
#ifndef MASSTREE_ROCKSDB_TESTS_SUPPORT_H
#define MASSTREE_ROCKSDB_TESTS_SUPPORT_H

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "entry.h"
#include "private.h"

namespace masstree_rocksdb::tests {

using ROCKSDB_NAMESPACE::Allocator;
using ROCKSDB_NAMESPACE::MemTableRep;
using ROCKSDB_NAMESPACE::Slice;

constexpr uint64_t kMostNumber = (uint64_t{1} << 56) - 1;

// An arena for any number of threads.
class Arena final : public Allocator {
  public:
    char *Allocate(size_t bytes) override { return Take(bytes, 1); }
    char *AllocateAligned(size_t bytes, size_t, ROCKSDB_NAMESPACE::Logger *) override
    {
        return Take(bytes, alignof(void *));
    }
    size_t BlockSize() const override { return kBlock; }

    size_t used() const { return used_; }

  private:
    static constexpr size_t kBlock = 1 << 16;

    char *Take(size_t bytes, size_t align)
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        next_ = (next_ + align - 1) & ~(align - 1);
        if (blocks_.empty() || next_ + bytes > end_) {
            end_ = bytes > kBlock ? bytes : kBlock;
            blocks_.push_back(std::make_unique<char[]>(end_));
            next_ = 0;
        }
        char *memory = blocks_.back().get() + next_;
        next_ += bytes;
        used_ += bytes;
        return memory;
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<char[]>> blocks_;
    size_t next_ = 0;
    size_t end_ = 0;
    size_t used_ = 0;
};

// The order of a memtable, as MemTable::KeyComparator has it.
class EntryOrder final : public MemTableRep::KeyComparator {
  public:
    static int Compare(const VersionKey &a, const VersionKey &b)
    {
        if (const int order = a.user_key.compare(b.user_key))
            return order;
        return a.number > b.number ? -1 : a.number < b.number;
    }
    int operator()(const char *a, const char *b) const override { return Compare(KeyOf(a), KeyOf(b)); }
    int operator()(const char *a, const Slice &b) const override { return Compare(KeyOf(a), KeyOf(b)); }
};

inline void PutVarint(std::string *to, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        to->push_back(static_cast<char>(value | 0x80));
    to->push_back(static_cast<char>(value));
}

inline std::string InternalKey(const std::string &key, uint64_t number, uint8_t type = 1)
{
    std::string internal = key;
    const uint64_t tag = number << 8 | type;
    internal.append(reinterpret_cast<const char *>(&tag), kTagSize);
    return internal;
}

inline std::string Entry(const std::string &key, uint64_t number, const std::string &value,
                         uint8_t type = 1)
{
    const std::string internal = InternalKey(key, number, type);
    std::string entry;
    PutVarint(&entry, static_cast<uint32_t>(internal.size()));
    entry += internal;
    PutVarint(&entry, static_cast<uint32_t>(value.size()));
    return entry + value;
}

// The value of an entry.
inline std::string ValueOf(const char *entry)
{
    const VersionKey key = KeyOf(entry);
    const char *at = key.user_key.data() + key.user_key.size() + kTagSize;
    uint32_t len = 0;
    for (int shift = 0;; shift += 7) {
        const auto byte = static_cast<unsigned char>(*at++);
        len |= static_cast<uint32_t>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return std::string(at, len);
    }
}

inline ROCKSDB_NAMESPACE::KeyHandle Store(MemTableRep *rep, const std::string &entry)
{
    char *buffer;
    const ROCKSDB_NAMESPACE::KeyHandle handle = rep->Allocate(entry.size(), &buffer);
    std::memcpy(buffer, entry.data(), entry.size());
    return handle;
}

// Keys of every shape: empty, short, of 8 bytes, with zero bytes, with long common prefixes.
class Keys {
  public:
    Keys(std::mt19937_64 *random, uint64_t different) : random_(*random), different_(different) {}

    std::string Next()
    {
        const uint64_t n = random_() % different_;
        const std::string digits = std::to_string(n);
        switch (n % 7) {
        case 0:
            return digits;
        case 1:
            return std::string(n / 7 % 40, '\0');
        case 2:
            return std::string(n / 7 % 12, 'a') + digits;
        case 3:
            return "a common prefix of thirty bytes" + digits;
        case 4:
            return "a common prefix of thirty bytes" + std::string(n / 7 % 20, 'x');
        case 5: {
            std::string key(8, '\0');
            std::memcpy(&key[0], &n, sizeof n);
            return key;
        }
        default:
            return "user" + std::string(20 - digits.size(), '0') + digits;
        }
    }

  private:
    std::mt19937_64 &random_;
    uint64_t different_;
};

} // namespace masstree_rocksdb::tests

#endif
