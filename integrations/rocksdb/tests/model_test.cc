// Compares a database over the memtable with a model.
//
// usage: model_test DIRECTORY [--seed N] [--seeds N] [--steps N] [--thread-steps N]
//                   [--mode normal|pipelined|unordered] [--concurrent 0|1] [--memtable NAME]
//
// DIRECTORY is for the database, which is destroyed first. Without --mode and --concurrent, every
// seed runs with one combination of these, seed by seed another. An error ends the program with a
// message; the line before has the seed.
//
// Put back: a Get that begins with the newest version instead of the one at the snapshot; a Prev that
// goes to the newest version of the key before, or turns round at the wrong word; a size that is
// measured in MarkReadOnly, or in one of 64 questions (RocksDB's assertions notice it); an insert
// that writes its hint.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "model.h"

using namespace masstree_rocksdb::tests;

namespace {

void Usage()
{
    std::fprintf(stderr, "usage: model_test DIRECTORY [--seed N] [--seeds N] [--steps N] "
                         "[--thread-steps N]\n"
                         "       [--mode normal|pipelined|unordered] [--concurrent 0|1] "
                         "[--memtable NAME]\n");
    std::exit(2);
}

WriteMode ModeOf(const char *name)
{
    if (std::strcmp(name, "normal") == 0)
        return WriteMode::kNormal;
    if (std::strcmp(name, "pipelined") == 0)
        return WriteMode::kPipelined;
    if (std::strcmp(name, "unordered") == 0)
        return WriteMode::kUnordered;
    Usage();
    return WriteMode::kNormal;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc < 2 || argc % 2 != 0)
        Usage();
    Config config;
    config.directory = argv[1];
    uint64_t seeds = 1;
    const char *mode = nullptr;
    const char *concurrent = nullptr;
    for (int i = 2; i < argc; i += 2) {
        const std::string name = argv[i];
        const char *value = argv[i + 1];
        if (name == "--seed")
            config.seed = std::strtoull(value, nullptr, 10);
        else if (name == "--seeds")
            seeds = std::strtoull(value, nullptr, 10);
        else if (name == "--steps")
            config.steps = std::strtoull(value, nullptr, 10);
        else if (name == "--thread-steps")
            config.thread_steps = std::strtoull(value, nullptr, 10);
        else if (name == "--mode")
            mode = value;
        else if (name == "--concurrent")
            concurrent = value;
        else if (name == "--memtable")
            config.memtable = value;
        else
            Usage();
    }
    for (const uint64_t end = config.seed + seeds; config.seed < end; config.seed++) {
        // Unordered writes are always concurrent.
        const uint64_t combination = config.seed % 5;
        config.mode = mode != nullptr     ? ModeOf(mode)
                      : combination < 2   ? WriteMode::kNormal
                      : combination < 4   ? WriteMode::kPipelined
                                          : WriteMode::kUnordered;
        config.concurrent = concurrent != nullptr ? std::strcmp(concurrent, "0") != 0
                                                  : combination % 2 == 0;
        std::printf("seed %llu\n", static_cast<unsigned long long>(config.seed));
        std::fflush(stdout);
        CompareWithModel(config);
        CompareThreads(config);
    }
    return 0;
}
