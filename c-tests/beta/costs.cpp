// The cost of calls under masstree-beta's names, compared with the C functions under a guard that
// is held: medians of rounds, with keys in the order of their creation.
#include "store.hh"

#include <algorithm>
#include <chrono>

volatile mrcu_epoch_type globalepoch = 1;
volatile mrcu_epoch_type active_epoch = 1;
volatile bool recovering = false;

namespace {

typedef store<uint64_t> numbers;
const size_t rounds = 7;

/** Nanoseconds for each of `count` calls. */
template <typename F>
double median(size_t count, const F& work)
{
    std::vector<double> times;
    for (size_t round = 0; round != rounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double, std::nano> took =
            std::chrono::steady_clock::now() - start;
        times.push_back(took.count() / static_cast<double>(count));
    }
    std::sort(times.begin(), times.end());
    return times[rounds / 2];
}

void row(const char* what, double here, double there)
{
    printf("%-32s %7.0f ns %7.0f ns %6.2f\n", what, here, there, here / there);
}

struct summing {
    uint64_t sum;
    size_t left;
    template <typename SS, typename K>
    void visit_leaf(const SS&, const K&, threadinfo&)
    {
    }
    bool visit_value(Masstree::Str, uint64_t value, threadinfo&)
    {
        sum += value;
        return --left > 0;
    }
};

int32_t add(const void*, size_t, uint64_t value, void* sum)
{
    *static_cast<uint64_t*>(sum) += value;
    return MASSTREE_VISIT_CONTINUE;
}

// Long: a row after the other.
void compare(size_t count, bool in_section)
{
    numbers tried;
    threadinfo& ti = *numbers::ti;
    if (in_section)
        ti.rcu_start();
    masstree_t* const tree = tried.table().c_tree();
    std::vector<std::string> keys;
    for (size_t i = 0; i != count; ++i)
        keys.push_back("user" + std::to_string(i * 2654435761u % 1000000007u));
    for (const auto& key : keys)
        tried.insert(key, 1);
    masstree_guard_t* guard;
    masstree_beta::check("guard", masstree_guard_enter(tree, &guard));
    uint64_t value = 0;
    uint64_t sum = 0;

    printf("%zu keys, %s\n", count, in_section ? "in a section" : "without sections");
    const double look_up = median(count, [&] {
        for (const auto& key : keys)
            masstree_get(tree, guard, key.data(), key.size(), &value);
    });
    row("basic_table::get", median(count, [&] {
        for (const auto& key : keys)
            tried.table().get(key, value, ti);
    }), look_up);
    row("unlocked_tcursor", median(count, [&] {
        for (const auto& key : keys)
            tried.get(key, value);
    }), look_up);
    row("tcursor: update", median(count, [&] {
        ++sum;
        for (const auto& key : keys)
            tried.update(key, sum);
    }), median(count, [&] {
        ++sum;
        for (const auto& key : keys)
            masstree_replace(tree, guard, key.data(), key.size(), sum, nullptr);
    }));
    row("tcursor: remove and insert", median(count, [&] {
        for (const auto& key : keys) {
            tried.remove(key);
            tried.insert(key, 1);
        }
        if (in_section)
            ti.rcu_quiesce();
    }), median(count, [&] {
        for (const auto& key : keys) {
            masstree_remove(tree, guard, key.data(), key.size(), nullptr);
            masstree_insert(tree, guard, key.data(), key.size(), 1, nullptr);
        }
        masstree_guard_refresh(guard);
    }));
    const size_t scans = count / 100;
    row("scan of 100", median(scans, [&] {
        for (size_t i = 0; i != scans; ++i) {
            summing scanner = {0, 100};
            tried.table().scan(keys[i], true, scanner, ti);
            sum += scanner.sum;
        }
    }), median(scans, [&] {
        masstree_range_t range = MASSTREE_RANGE_INIT;
        range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
        range.limit = 100;
        for (size_t i = 0; i != scans; ++i) {
            range.lower = keys[i].data();
            range.lower_len = keys[i].size();
            masstree_scan(tree, guard, &range, add, &sum, nullptr);
        }
    }));
    always_assert(sum != 0, "the sums are not thrown away");
    masstree_guard_leave(guard);
    ti.rcu_stop();
}

} // namespace

int main()
{
    printf("%-32s %10s %10s %6s\n", "", "here", "in C", "ratio");
    for (const size_t count : {size_t(1000), size_t(1000000)}) {
        compare(count, false);
        compare(count, true);
    }
    threadinfo& ti = *numbers::ti;
    const size_t sections = 100000;
    printf("%-32s %7.0f ns\n", "rcu_start and rcu_stop", median(sections, [&] {
        for (size_t i = 0; i != sections; ++i) {
            ti.rcu_start();
            ti.rcu_stop();
        }
    }));
    printf("%-32s %7.0f ns\n", "rcu_quiesce", median(sections, [&] {
        for (size_t i = 0; i != sections; ++i)
            ti.rcu_quiesce();
    }));
    ti.rcu_stop();
}
