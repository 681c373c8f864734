// Each way to get the memtable, and the tables that get a skip list instead.
//
// usage: registration_test DIRECTORY
//
// Compiled in three forms: linked with the shared library, with the static one, and with neither, for
// LD_PRELOAD. The first two also test the functions of masstree_rocksdb.h.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#ifdef MASSTREE_ROCKSDB_LINKED
#include <masstree_rocksdb.h>
#endif
#include <rocksdb/comparator.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/memtablerep.h>
#include <rocksdb/options.h>
#include <rocksdb/utilities/object_registry.h>
#include <rocksdb/utilities/options_util.h>

using namespace ROCKSDB_NAMESPACE;

namespace {

#define REQUIRE(condition, text)                                                                      \
    do {                                                                                              \
        if (!(condition)) {                                                                           \
            std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition,                   \
                         std::string(text).c_str());                                                  \
            std::exit(1);                                                                             \
        }                                                                                             \
    } while (0)

void RequireOk(const Status &status)
{
    REQUIRE(status.ok(), status.ToString());
}

std::string directory;

// How often a database wrote a text to its log.
int InLog(const std::string &text)
{
    std::ifstream log(directory + "/LOG");
    int count = 0;
    for (std::string line; std::getline(log, line);)
        count += line.find(text) != std::string::npos;
    return count;
}

const char *const kFallback = "this memtable is a skip list, because";

std::unique_ptr<DB> Open(const Options &options)
{
    DB *db;
    RequireOk(DB::Open(options, directory, &db));
    return std::unique_ptr<DB>(db);
}

// Writes, reads from the memtable and from a table, in the comparator's order.
void Use(DB *db, const Comparator *comparator)
{
    const int kKeys = 100;
    for (int i = 0; i < kKeys; i++)
        RequireOk(db->Put(WriteOptions(), std::to_string(i), std::to_string(2 * i)));
    for (int round = 0; round < 2; round++) {
        std::string value;
        RequireOk(db->Get(ReadOptions(), "42", &value));
        REQUIRE(value == "84", value);
        const std::unique_ptr<Iterator> iterator(db->NewIterator(ReadOptions()));
        int count = 0;
        std::string last;
        for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), count++) {
            REQUIRE(count == 0 || comparator->Compare(last, iterator->key()) < 0, last);
            last = iterator->key().ToString();
        }
        REQUIRE(count == kKeys, std::to_string(count));
        RequireOk(db->Flush(FlushOptions()));
    }
}

Options FromString(const std::string &text)
{
    Options options;
    ColumnFamilyOptions parsed;
    RequireOk(GetColumnFamilyOptionsFromString(ConfigOptions(), options, text, &parsed));
    options = Options(DBOptions(), parsed);
    options.create_if_missing = true;
    return options;
}

void Destroy()
{
    RequireOk(DestroyDB(directory, Options()));
}

// Put back: a factory under another name; one whose memtables are always skip lists.
void OptionsString()
{
    Destroy();
    const Options options = FromString("memtable_factory=masstree");
    REQUIRE(std::strcmp(options.memtable_factory->Name(), "masstree") == 0,
            options.memtable_factory->Name());
    REQUIRE(options.memtable_factory->IsInsertConcurrentlySupported(), "");
    REQUIRE(options.memtable_factory->CanHandleDuplicatedKey(), "");
    Use(Open(options).get(), BytewiseComparator());
    REQUIRE(InLog(kFallback) == 0, "");
    REQUIRE(InLog("memtable_factory: masstree") > 0, "");
}

// After OptionsString, whose database has an OPTIONS file.
// Put back: a name that differs from the one that is registered is not found.
void OptionsFile()
{
    DBOptions db_options;
    std::vector<ColumnFamilyDescriptor> families;
    RequireOk(LoadLatestOptions(ConfigOptions(), directory, &db_options, &families));
    REQUIRE(families.size() == 1, std::to_string(families.size()));
    const auto &factory = families[0].options.memtable_factory;
    REQUIRE(factory != nullptr && std::strcmp(factory->Name(), "masstree") == 0, "");
    Use(Open(Options(db_options, families[0].options)).get(), BytewiseComparator());
    REQUIRE(InLog(kFallback) == 0, "");
    // RocksDB compares the options with the file's.
    RequireOk(CheckOptionsCompatibility(ConfigOptions(), directory, db_options, families));
}

void Registry()
{
    std::unique_ptr<MemTableRepFactory> factory;
    RequireOk(MemTableRepFactory::CreateFromString(ConfigOptions(), "masstree", &factory));
    REQUIRE(std::strcmp(factory->Name(), "masstree") == 0, factory->Name());
    std::unique_ptr<MemTableRepFactory> guard;
    MemTableRepFactory *object;
    RequireOk(ObjectRegistry::NewInstance()->NewObject("masstree", &object, &guard));
    REQUIRE(object == guard.get() && std::strcmp(object->Name(), "masstree") == 0, "");
    RequireOk(ObjectRegistry::NewInstance()->NewObject("skip_list", &object, &guard));
}

// Orders keys by their length first.
class ByLength : public Comparator {
  public:
    explicit ByLength(size_t timestamp_size = 0) : Comparator(timestamp_size) {}
    const char *Name() const override { return "ByLength"; }
    int Compare(const Slice &a, const Slice &b) const override
    {
        return a.size() != b.size() ? (a.size() < b.size() ? -1 : 1) : a.compare(b);
    }
    void FindShortestSeparator(std::string *, const Slice &) const override {}
    void FindShortSuccessor(std::string *) const override {}
};

// Bytes, then the timestamp, newest first.
class WithTimestamp final : public ByLength {
  public:
    WithTimestamp() : ByLength(sizeof(uint64_t)) {}
    const char *Name() const override { return "WithTimestamp"; }
    int Compare(const Slice &a, const Slice &b) const override
    {
        const int order = CompareWithoutTimestamp(a, true, b, true);
        return order != 0 ? order : -Timestamp(a).compare(Timestamp(b));
    }
    int CompareTimestamp(const Slice &a, const Slice &b) const override { return a.compare(b); }
    int CompareWithoutTimestamp(const Slice &a, bool a_has, const Slice &b, bool b_has) const override
    {
        return Key(a, a_has).compare(Key(b, b_has));
    }

  private:
    static Slice Key(const Slice &key, bool has)
    {
        return Slice(key.data(), key.size() - (has ? sizeof(uint64_t) : 0));
    }
    static Slice Timestamp(const Slice &key)
    {
        return Slice(key.data() + key.size() - sizeof(uint64_t), sizeof(uint64_t));
    }
};

// Put back: a factory that ignores the comparator orders the keys by bytes.
void Fallbacks()
{
    const ByLength by_length;
    const std::vector<const Comparator *> comparators{ReverseBytewiseComparator(), &by_length};
    for (const Comparator *comparator : comparators) {
        Destroy();
        Options options = FromString("memtable_factory=masstree");
        options.comparator = comparator;
        Use(Open(options).get(), comparator);
        REQUIRE(InLog(kFallback) > 0, comparator->Name());
        REQUIRE(InLog(std::string("the comparator ") + comparator->Name()) > 0, comparator->Name());
    }
    Destroy();
    const WithTimestamp with_timestamp;
    Options options = FromString("memtable_factory=masstree");
    options.comparator = &with_timestamp;
    const std::unique_ptr<DB> db = Open(options);
    for (uint64_t time = 1; time <= 3; time++) {
        const std::string timestamp(sizeof time, static_cast<char>(time));
        RequireOk(db->Put(WriteOptions(), "key", timestamp, std::to_string(time)));
    }
    const std::string second(sizeof(uint64_t), 2);
    const Slice timestamp(second);
    ReadOptions read;
    read.timestamp = &timestamp;
    std::string value;
    RequireOk(db->Get(read, "key", &value));
    REQUIRE(value == "2", value);
    REQUIRE(InLog("the comparator WithTimestamp") > 0, "");
}

#ifdef MASSTREE_ROCKSDB_LINKED
void Functions()
{
    REQUIRE(masstree_rocksdb::Register(), "");
    REQUIRE(masstree_rocksdb::Register(), "twice");
    Destroy();
    Options options;
    options.create_if_missing = true;
    options.memtable_factory = masstree_rocksdb::NewFactory();
    Use(Open(options).get(), BytewiseComparator());
    REQUIRE(InLog(kFallback) == 0, "");
}
#endif

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::fprintf(stderr, "usage: registration_test DIRECTORY\n");
        return 2;
    }
    directory = argv[1];
#ifdef MASSTREE_ROCKSDB_LINKED
    Functions();
#endif
    Registry();
    OptionsString();
    OptionsFile();
    Fallbacks();
    Destroy();
    std::printf("registered\n");
    return 0;
}
