// A database over the memtable, and what it must contain.
#ifndef MASSTREE_ROCKSDB_TESTS_MODEL_H
#define MASSTREE_ROCKSDB_TESTS_MODEL_H

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/options.h>

namespace masstree_rocksdb::tests {

// Ends the program with a message.
#define REQUIRE(condition, ...)                                                                       \
    do {                                                                                              \
        if (!(condition)) {                                                                           \
            std::fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                      \
            std::fprintf(stderr, __VA_ARGS__);                                                        \
            std::fprintf(stderr, "\n");                                                               \
            std::abort();                                                                             \
        }                                                                                             \
    } while (0)

void RequireOk(const ROCKSDB_NAMESPACE::Status &status, const char *what);

enum class WriteMode { kNormal, kPipelined, kUnordered };

struct Config {
    std::string directory;
    std::string memtable = "masstree";
    uint64_t seed = 1;
    uint64_t steps = 20000;
    uint64_t thread_steps = 10000;
    WriteMode mode = WriteMode::kNormal;
    bool concurrent = true;
};

// The keys and values of a column family.
using Contents = std::map<std::string, std::string>;

// A database with a few column families, whose options are drawn from the seed.
class Database {
  public:
    explicit Database(const Config &config);
    ~Database();

    ROCKSDB_NAMESPACE::DB *operator->() const { return db_.get(); }
    ROCKSDB_NAMESPACE::DB *get() const { return db_.get(); }
    ROCKSDB_NAMESPACE::ColumnFamilyHandle *family(size_t i) const { return families_[i]; }
    size_t families() const { return families_.size(); }
    bool updates_in_place() const { return options_.inplace_update_support; }
    bool has_prefixes() const { return options_.prefix_extractor != nullptr; }
    std::string Description() const;

    void Close();
    void Open();

  private:
    Config config_;
    ROCKSDB_NAMESPACE::Options options_;
    std::unique_ptr<ROCKSDB_NAMESPACE::DB> db_;
    std::vector<ROCKSDB_NAMESPACE::ColumnFamilyHandle *> families_;
};

// One thread's random operations, compared with a model.
void CompareWithModel(const Config &config);

// Two writers of their own keys and of accounts with a constant sum, and a reader.
void CompareThreads(const Config &config);

} // namespace masstree_rocksdb::tests

#endif
