// oneTBB's concurrent_map behind C functions, for keys that are integers and for keys
// that are strings. Values are atomic words, so that an update may meet a reader.
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <oneapi/tbb/concurrent_map.h>
#include <string>
#include <string_view>

namespace {

using Visitor = void (*)(const char *key, std::size_t len, std::uint64_t value, void *ctx);

struct Word {
    std::atomic<std::uint64_t> value;
    explicit Word(std::uint64_t value) : value(value) {}
};

struct Integers {
    using Key = std::uint64_t;
    using Lookup = std::uint64_t;
    static Lookup lookup(const char *key, std::size_t) {
        std::uint64_t stored;
        std::memcpy(&stored, key, sizeof stored);
        return __builtin_bswap64(stored);
    }
    static void visit(Key key, std::uint64_t value, Visitor visitor, void *ctx) {
        char bytes[sizeof key];
        key = __builtin_bswap64(key);
        std::memcpy(bytes, &key, sizeof key);
        visitor(bytes, sizeof bytes, value, ctx);
    }
};

struct Strings {
    using Key = std::string;
    using Lookup = std::string_view;
    static Lookup lookup(const char *key, std::size_t len) { return {key, len}; }
    static void visit(const Key &key, std::uint64_t value, Visitor visitor, void *ctx) {
        visitor(key.data(), key.size(), value, ctx);
    }
};

template <typename Kind> struct Map {
    tbb::concurrent_map<typename Kind::Key, Word, std::less<>> map;

    void put(const char *key, std::size_t len, std::uint64_t value) {
        auto [at, inserted] = map.emplace(typename Kind::Key(Kind::lookup(key, len)), value);
        if (!inserted)
            at->second.value.store(value, std::memory_order_release);
    }

    int get(const char *key, std::size_t len, std::uint64_t *value) {
        auto at = map.find(Kind::lookup(key, len));
        if (at == map.end())
            return 0;
        *value = at->second.value.load(std::memory_order_acquire);
        return 1;
    }

    void scan(const char *from, std::size_t len, std::size_t limit, Visitor visitor, void *ctx) {
        auto at = map.lower_bound(Kind::lookup(from, len));
        for (; limit > 0 && at != map.end(); --limit, ++at)
            Kind::visit(at->first, at->second.value.load(std::memory_order_acquire), visitor, ctx);
    }
};

} // namespace

#define FUNCTIONS(kind, Kind)                                                                   \
    extern "C" void *bench_##kind##_create() { return new Map<Kind>; }                          \
    extern "C" void bench_##kind##_destroy(void *map) { delete static_cast<Map<Kind> *>(map); } \
    extern "C" void bench_##kind##_put(void *map, const char *key, std::size_t len,             \
                                       std::uint64_t value) {                                   \
        static_cast<Map<Kind> *>(map)->put(key, len, value);                                    \
    }                                                                                           \
    extern "C" int bench_##kind##_get(void *map, const char *key, std::size_t len,              \
                                      std::uint64_t *value) {                                   \
        return static_cast<Map<Kind> *>(map)->get(key, len, value);                             \
    }                                                                                           \
    extern "C" void bench_##kind##_scan(void *map, const char *from, std::size_t len,           \
                                        std::size_t limit, Visitor visitor, void *ctx) {        \
        static_cast<Map<Kind> *>(map)->scan(from, len, limit, visitor, ctx);                    \
    }

FUNCTIONS(integers, Integers)
FUNCTIONS(strings, Strings)
