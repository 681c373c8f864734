#include "model.h"

#include <cstdio>
#include <cstdlib>

#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/slice_transform.h>

namespace masstree_rocksdb::tests {

using ROCKSDB_NAMESPACE::AssociativeMergeOperator;
using ROCKSDB_NAMESPACE::ColumnFamilyDescriptor;
using ROCKSDB_NAMESPACE::DB;
using ROCKSDB_NAMESPACE::Logger;
using ROCKSDB_NAMESPACE::Options;
using ROCKSDB_NAMESPACE::Slice;
using ROCKSDB_NAMESPACE::Status;

namespace {

// Appends the operand to the value, after a comma.
class Append final : public AssociativeMergeOperator {
  public:
    const char *Name() const override { return "Append"; }
    bool Merge(const Slice &, const Slice *existing, const Slice &operand, std::string *to,
               Logger *) const override
    {
        to->clear();
        if (existing != nullptr) {
            to->assign(existing->data(), existing->size());
            to->push_back(',');
        }
        to->append(operand.data(), operand.size());
        return true;
    }
};

// The last family has another order, so its memtables are skip lists.
const char *const kFamilies[] = {"default", "first", "second", "reverse"};

Options OptionsOf(const Config &config)
{
    std::mt19937_64 random(config.seed);
    const auto one_in = [&random](uint64_t n) { return random() % n == 0; };
    Options options;
    ROCKSDB_NAMESPACE::ColumnFamilyOptions parsed;
    RequireOk(ROCKSDB_NAMESPACE::GetColumnFamilyOptionsFromString(
                  ROCKSDB_NAMESPACE::ConfigOptions(), options,
                  "memtable_factory=" + config.memtable, &parsed),
              "memtable_factory");
    static_cast<ROCKSDB_NAMESPACE::ColumnFamilyOptions &>(options) = parsed;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.merge_operator = std::make_shared<Append>();
    options.compression = ROCKSDB_NAMESPACE::kNoCompression;
    options.write_buffer_size = size_t{64} << 10 << random() % 6;
    options.max_write_buffer_number = static_cast<int>(2 + random() % 5);
    options.allow_concurrent_memtable_write = config.concurrent;
    options.enable_pipelined_write = config.mode == WriteMode::kPipelined;
    options.unordered_write = config.mode == WriteMode::kUnordered;
    // Only where nothing is concurrent, and then without snapshots and steps backwards.
    options.inplace_update_support =
        !config.concurrent && config.mode == WriteMode::kNormal && one_in(3);
    options.max_successive_merges = one_in(2) && config.mode != WriteMode::kUnordered ? 3 : 0;
    if (one_in(2))
        options.prefix_extractor.reset(ROCKSDB_NAMESPACE::NewCappedPrefixTransform(3));
    if (one_in(2))
        options.memtable_prefix_bloom_size_ratio = 0.1;
    options.memtable_whole_key_filtering = one_in(2);
    // RocksDB's skip lists of values and of range tombstones would take each other's hints for theirs,
    // and crash.
    if (one_in(2) && config.memtable != "skip_list")
        options.memtable_insert_with_hint_prefix_extractor.reset(
            ROCKSDB_NAMESPACE::NewFixedPrefixTransform(2));
    options.memtable_protection_bytes_per_key = one_in(3) ? 8 : 0;
    options.level0_file_num_compaction_trigger = static_cast<int>(2 + random() % 4);
    return options;
}

} // namespace

void RequireOk(const Status &status, const char *what)
{
    REQUIRE(status.ok(), "%s: %s", what, status.ToString().c_str());
}

Database::Database(const Config &config) : config_(config), options_(OptionsOf(config))
{
    RequireOk(ROCKSDB_NAMESPACE::DestroyDB(config.directory, options_), "destroy");
    Open();
}

Database::~Database()
{
    Close();
}

void Database::Open()
{
    std::vector<ColumnFamilyDescriptor> descriptors;
    for (const char *name : kFamilies)
        descriptors.emplace_back(name, options_);
    descriptors.back().options.comparator = ROCKSDB_NAMESPACE::ReverseBytewiseComparator();
    descriptors.back().options.memtable_insert_with_hint_prefix_extractor = nullptr;
    DB *db;
    RequireOk(DB::Open(options_, config_.directory, descriptors, &families_, &db), "open");
    db_.reset(db);
}

void Database::Close()
{
    if (db_ == nullptr)
        return;
    for (auto *family : families_)
        RequireOk(db_->DestroyColumnFamilyHandle(family), "family");
    families_.clear();
    RequireOk(db_->Close(), "close");
    db_.reset();
}

std::string Database::Description() const
{
    const char *const modes[] = {"normal", "pipelined", "unordered"};
    return "seed " + std::to_string(config_.seed) + ", " + modes[static_cast<int>(config_.mode)] +
           (config_.concurrent ? ", concurrent" : ", one at a time") +
           (updates_in_place() ? ", in place" : "") + (has_prefixes() ? ", prefixes" : "") +
           ", buffers of " + std::to_string(options_.write_buffer_size >> 10) + " KiB";
}

} // namespace masstree_rocksdb::tests
