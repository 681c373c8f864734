// Several threads, each with its own threadinfo.
#include "check.hh"
#include "store.hh"

#include <thread>

namespace {

typedef store<uint64_t> numbers;

std::string key_of(int thread, int i)
{
    return "shared beginning " + std::to_string(i % 50) + "/" + std::to_string(thread) + "/"
        + std::to_string(i);
}

void fill(numbers& tried, int thread, int keys)
{
    numbers::thread_init(thread);
    for (int i = 0; i != keys; ++i)
        CHECK(tried.insert(key_of(thread, i), static_cast<uint64_t>(i)));
    for (int i = 0; i != keys; ++i) {
        uint64_t value = 0;
        CHECK(tried.get(key_of(thread, i), value) && value == static_cast<uint64_t>(i));
        if (i % 2 == 0)
            CHECK(tried.remove(key_of(thread, i)));
        else
            CHECK(tried.update(key_of(thread, i), value + 1));
    }
}

void count_up(numbers& tried, int thread, int steps)
{
    numbers::thread_init(thread);
    random_numbers random(seed() + static_cast<uint64_t>(thread));
    for (int i = 0; i != steps; ++i) {
        const std::string key = std::to_string(random.below(30));
        numbers::cursor_type lp(tried.table(), key);
        lp.find_insert(*numbers::ti);
        ++lp.value();
        lp.finish(1, *numbers::ti);
    }
}

struct ordered_scanner {
    std::string last;
    bool reverse;
    template <typename SS, typename K>
    void visit_leaf(const SS&, const K&, threadinfo&)
    {
    }
    bool visit_value(Masstree::Str key, uint64_t, threadinfo&)
    {
        const std::string next = key;
        CHECK(last.empty() || (reverse ? next < last : next > last));
        last = next;
        return true;
    }
};

} // namespace

TEST(threads_find_the_keys_that_they_have_stored)
{
    numbers tried;
    const int keys = shortened(8000);
    std::vector<std::thread> threads;
    for (int thread = 1; thread != 4; ++thread)
        threads.push_back(std::thread([&tried, thread, keys] { fill(tried, thread, keys); }));
    for (int i = 0; i != 5; ++i) {
        ordered_scanner up = {std::string(), false};
        tried.table().scan("", true, up, *numbers::ti);
        ordered_scanner down = {std::string(), true};
        tried.table().rscan("t", true, down, *numbers::ti);
    }
    for (size_t i = 0; i != threads.size(); ++i)
        threads[i].join();
    for (int thread = 1; thread != 4; ++thread)
        for (int i = 0; i != keys; ++i) {
            uint64_t value = 0;
            CHECK(tried.get(key_of(thread, i), value) == (i % 2 == 1));
            CHECK(i % 2 == 0 || value == static_cast<uint64_t>(i) + 1);
        }
}

TEST(additions_through_references_are_not_lost)
{
    numbers tried;
    const int steps = shortened(60000);
    std::vector<std::thread> threads;
    for (int thread = 1; thread != 4; ++thread)
        threads.push_back(std::thread([&tried, thread, steps] { count_up(tried, thread, steps); }));
    for (size_t i = 0; i != threads.size(); ++i)
        threads[i].join();
    uint64_t sum = 0;
    const numbers::pairs all = tried.scan("", true, SIZE_MAX);
    for (size_t i = 0; i != all.size(); ++i)
        sum += all[i].second;
    CHECK(sum == 3 * static_cast<uint64_t>(steps));
}
