/*
 * How do I replace a std::map and a mutex?
 *
 * With the same calls, without the lock: readers take none, and writers lock one leaf. An operation
 * that needed the lock for two calls, such as an increment, becomes one call: update.
 *
 * Prints:
 *     std::map and mutex: apple=40000 fig=40000 pear=40000
 *     masstree:           apple=40000 fig=40000 pear=40000
 */
#include <masstree.h>

#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

class Before {
    std::map<std::string, std::uint64_t, std::less<>> map;
    mutable std::mutex mutex;

public:
    void count(std::string_view word)
    {
        const std::lock_guard lock(mutex);
        ++map[std::string(word)];
    }

    template <typename Visit> void each(Visit visit) const
    {
        const std::lock_guard lock(mutex); // no thread counts until all were visited
        for (const auto &[word, number] : map)
            visit(word, number);
    }
};

class After {
    struct Destroy {
        void operator()(masstree_t *tree) const { masstree_destroy(tree); }
    };
    std::unique_ptr<masstree_t, Destroy> tree;

    static void require(std::int32_t status)
    {
        if (status == MASSTREE_NOMEM)
            throw std::bad_alloc();
        if (status < 0)
            throw std::runtime_error(masstree_strerror(status));
    }

public:
    After()
    {
        masstree_t *made = nullptr;
        require(masstree_create(nullptr, &made));
        tree.reset(made);
    }

    void count(std::string_view word)
    {
        const auto add_one = [](const std::uint64_t *present, std::uint64_t *value, void *) {
            *value = present == nullptr ? 1 : *present + 1;
            return std::int32_t{ MASSTREE_ACTION_SET };
        };
        require(masstree_update(tree.get(), nullptr, word.data(), word.size(), add_one, nullptr,
                                nullptr));
    }

    // visit must not throw: the library calls it.
    template <typename Visit> void each(Visit visit) const
    {
        const auto call = [](const void *key, std::size_t len, std::uint64_t value, void *ctx) {
            (*static_cast<Visit *>(ctx))(std::string_view(static_cast<const char *>(key), len), value);
            return std::int32_t{ MASSTREE_VISIT_CONTINUE };
        };
        require(masstree_scan(tree.get(), nullptr, nullptr, call, &visit, nullptr));
    }
};

template <typename Map> void count_and_print(const char *title)
{
    Map map;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([&map] {
            for (int round = 0; round < 10000; round++)
                for (const char *word : { "pear", "apple", "fig" })
                    map.count(word);
        });
    for (std::thread &thread : threads)
        thread.join();
    std::cout << title;
    map.each([](std::string_view word, std::uint64_t n) { std::cout << ' ' << word << '=' << n; });
    std::cout << '\n';
}

int main()
{
    count_and_print<Before>("std::map and mutex:");
    count_and_print<After>("masstree:          ");
}
