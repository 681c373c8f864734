// The factory, its registration, and what it does for tables that the memtable is not for.

#include <masstree_rocksdb.h>

#include <cstdio>
#include <cstring>
#include <string>

#include <masstree.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/utilities/object_registry.h>
#include <rocksdb/version.h>

#include "private.h"
#include "rep.h"

namespace masstree_rocksdb {

using ROCKSDB_NAMESPACE::Allocator;
using ROCKSDB_NAMESPACE::Comparator;
using ROCKSDB_NAMESPACE::Logger;
using ROCKSDB_NAMESPACE::MemTableRep;
using ROCKSDB_NAMESPACE::MemTableRepFactory;
using ROCKSDB_NAMESPACE::ObjectLibrary;
using ROCKSDB_NAMESPACE::SkipListFactory;
using ROCKSDB_NAMESPACE::SliceTransform;

namespace {

// Whether the RocksDB of this process has the classes for which this library was compiled.
bool IsRightRocksDB()
{
    static const bool is_right = [] {
        const std::string compiled =
            std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR) + ".";
        const std::string present = ROCKSDB_NAMESPACE::GetRocksVersionAsString(true);
        if (present.compare(0, compiled.size(), compiled) == 0)
            return true;
        std::fprintf(stderr, "libmasstree-rocksdb: compiled for RocksDB %sx, but this is %s: not used\n",
                     compiled.c_str(), present.c_str());
        return false;
    }();
    return is_right;
}

// Why a column family cannot have the memtable; an empty text if it can.
std::string WhyNot(const MemTableRep::KeyComparator &comparator)
{
    if (!IsRightRocksDB())
        return "RocksDB has another version";
    const Comparator *user_comparator = UserComparatorOf(comparator);
    if (user_comparator == nullptr)
        return "the comparator is of an unknown class";
    // Keys with timestamps are ordered by another comparator, but make sure.
    if (user_comparator != ROCKSDB_NAMESPACE::BytewiseComparator() ||
        user_comparator->timestamp_size() != 0)
        return std::string("the comparator ") + user_comparator->Name() + " does not order keys by bytes";
    return "";
}

class Factory final : public MemTableRepFactory {
  public:
    static constexpr const char *kName = "masstree";

    const char *Name() const override { return kName; }

    using MemTableRepFactory::CreateMemTableRep;
    MemTableRep *CreateMemTableRep(const MemTableRep::KeyComparator &comparator,
                                   Allocator *allocator, const SliceTransform *transform,
                                   Logger *logger) override
    {
        std::string why_not = WhyNot(comparator);
        if (why_not.empty()) {
            masstree_t *tree;
            const int32_t status = CreateTree(&tree);
            if (status == MASSTREE_OK)
                return new Rep(allocator, tree);
            why_not = masstree_strerror(status);
        }
        if (logger != nullptr)
            ROCKSDB_NAMESPACE::Warn(logger, "masstree: this memtable is a skip list, because %s",
                                    why_not.c_str());
        return skip_list_.CreateMemTableRep(comparator, allocator, transform, logger);
    }

    // So does the skip list.
    bool IsInsertConcurrentlySupported() const override { return true; }
    bool CanHandleDuplicatedKey() const override { return true; }

  private:
    SkipListFactory skip_list_;
};

bool DoRegister()
{
    if (!IsRightRocksDB())
        return false;
    ObjectLibrary::Default()->AddFactory<MemTableRepFactory>(
        Factory::kName, [](const std::string &, std::unique_ptr<MemTableRepFactory> *guard,
                           std::string *) {
            guard->reset(new Factory);
            return guard->get();
        });
    return true;
}

// When the library is loaded. RocksDB, which it needs, has been initialised before.
[[maybe_unused]] const bool registered_at_load = Register();

} // namespace

bool Register()
{
    static const bool is_registered = DoRegister();
    return is_registered;
}

std::shared_ptr<MemTableRepFactory> NewFactory()
{
    Register();
    return std::make_shared<Factory>();
}

} // namespace masstree_rocksdb
