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

/** Both ways to the same tree. */
struct subject {
    numbers tried;
    threadinfo& ti = *numbers::ti;
    masstree_t* const tree = tried.table().c_tree();
    masstree_guard_t* guard = nullptr;
    std::vector<std::string> keys;
    uint64_t sum = 0;
};

void compare_reads(subject& of)
{
    uint64_t value = 0;
    const double look_up = median(of.keys.size(), [&] {
        for (const auto& key : of.keys)
            masstree_get(of.tree, of.guard, key.data(), key.size(), &value);
    });
    row("basic_table::get", median(of.keys.size(), [&] {
        for (const auto& key : of.keys)
            of.tried.table().get(key, value, of.ti);
    }), look_up);
    row("unlocked_tcursor", median(of.keys.size(), [&] {
        for (const auto& key : of.keys)
            of.tried.get(key, value);
    }), look_up);
}

void compare_writes(subject& of, bool in_section)
{
    row("tcursor: update", median(of.keys.size(), [&] {
        ++of.sum;
        for (const auto& key : of.keys)
            of.tried.update(key, of.sum);
    }), median(of.keys.size(), [&] {
        ++of.sum;
        for (const auto& key : of.keys)
            masstree_replace(of.tree, of.guard, key.data(), key.size(), of.sum, nullptr);
    }));
    row("tcursor: remove and insert", median(of.keys.size(), [&] {
        for (const auto& key : of.keys) {
            of.tried.remove(key);
            of.tried.insert(key, 1);
        }
        if (in_section)
            of.ti.rcu_quiesce();
    }), median(of.keys.size(), [&] {
        for (const auto& key : of.keys) {
            masstree_remove(of.tree, of.guard, key.data(), key.size(), nullptr);
            masstree_insert(of.tree, of.guard, key.data(), key.size(), 1, nullptr);
        }
        masstree_guard_refresh(of.guard);
    }));
}

void compare_scans(subject& of)
{
    const size_t scans = of.keys.size() / 100;
    row("scan of 100", median(scans, [&] {
        for (size_t i = 0; i != scans; ++i) {
            summing scanner = {0, 100};
            of.tried.table().scan(of.keys[i], true, scanner, of.ti);
            of.sum += scanner.sum;
        }
    }), median(scans, [&] {
        masstree_range_t range = MASSTREE_RANGE_INIT;
        range.lower_bound = MASSTREE_BOUND_INCLUSIVE;
        range.limit = 100;
        for (size_t i = 0; i != scans; ++i) {
            range.lower = of.keys[i].data();
            range.lower_len = of.keys[i].size();
            masstree_scan(of.tree, of.guard, &range, add, &of.sum, nullptr);
        }
    }));
}

void compare(size_t count, bool in_section)
{
    subject of;
    if (in_section)
        of.ti.rcu_start();
    for (size_t i = 0; i != count; ++i)
        of.keys.push_back("user" + std::to_string(i * 2654435761u % 1000000007u));
    for (const auto& key : of.keys)
        of.tried.insert(key, 1);
    masstree_beta::check("guard", masstree_guard_enter(of.tree, &of.guard));
    printf("%zu keys, %s\n", count, in_section ? "in a section" : "without sections");
    compare_reads(of);
    compare_writes(of, in_section);
    compare_scans(of);
    always_assert(of.sum != 0, "the sums are not thrown away");
    masstree_guard_leave(of.guard);
    of.ti.rcu_stop();
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
