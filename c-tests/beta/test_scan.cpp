// What scanners get, and what they may do.
#include "check.hh"
#include "store.hh"

#include <algorithm>

namespace {

typedef store<uint64_t> numbers;

/** A scanner of the older kind, which gets keys rather than strings. */
struct older_scanner {
    std::vector<std::string> keys;
    template <typename ITER>
    void visit_leaf(const ITER& stack, const Masstree::key<uint64_t>& key, threadinfo&)
    {
        CHECK(stack.node()->full_version_value() == stack.full_version_value());
        CHECK(key.prefix_length() == 0);
    }
    bool visit_value(const Masstree::key<uint64_t>& key, uint64_t, threadinfo&)
    {
        keys.push_back(std::string(key.full_string()));
        CHECK(key.prefix_length() <= key.full_string().length());
        CHECK(key.ikey() == string_slice<uint64_t>::make_comparable(
            key.full_string().data(), key.full_string().length()));
        return keys.size() < 3;
    }
};

typedef std::vector<std::pair<const numbers::node_type*, uint64_t>> observed;

struct leaf_scanner {
    observed leaves;
    size_t keys;
    std::string until;
    template <typename SS, typename K>
    void visit_leaf(const SS& stack, const K&, threadinfo&)
    {
        leaves.push_back(std::make_pair(stack.node(), stack.full_version_value()));
    }
    bool visit_value(numbers::Str key, uint64_t, threadinfo&)
    {
        if (key >= numbers::Str(until))
            return false;
        ++keys;
        return true;
    }
};

bool hold(const observed& leaves)
{
    for (size_t i = 0; i != leaves.size(); ++i)
        if (leaves[i].first->full_version_value() != leaves[i].second)
            return false;
    return true;
}

leaf_scanner scanned(numbers& tried, numbers::Str first, const std::string& until)
{
    leaf_scanner scanner = {observed(), 0, until};
    tried.table().scan(first, true, scanner, *numbers::ti);
    return scanner;
}

} // namespace

TEST(scanners_of_the_older_kind_get_keys)
{
    numbers tried;
    tried.insert("a", 1);
    tried.insert("a longer one than a slice", 2);
    tried.insert("b", 3);
    tried.insert("c", 4);
    older_scanner scanner;
    CHECK(tried.table().scan("", true, scanner, *numbers::ti) == 3);
    CHECK(scanner.keys.size() == 3 && scanner.keys[1] == "a longer one than a slice");
}

TEST(an_empty_range_shows_the_leaf_that_proves_it)
{
    numbers tried;
    leaf_scanner scanner = scanned(tried, "m", "n");
    CHECK(scanner.keys == 0 && !scanner.leaves.empty() && hold(scanner.leaves));
    tried.insert("mm", 1);
    CHECK(!hold(scanner.leaves));

    scanner = scanned(tried, "m", "mm");
    CHECK(scanner.keys == 0 && hold(scanner.leaves));
    leaf_scanner back = {observed(), 0, "z"};
    tried.table().rscan("m", true, back, *numbers::ti);
    CHECK(back.keys == 0 && !back.leaves.empty() && hold(back.leaves));
    tried.insert("m", 1);
    CHECK(!hold(scanner.leaves) && !hold(back.leaves));
}

TEST(every_change_of_a_range_changes_a_leaf_passed_to_visit_leaf)
{
    random_numbers random(seed());
    numbers tried;
    for (int i = 0; i != 500; ++i)
        tried.insert("prefix all keys share " + std::to_string(i), 1);
    for (int i = 0; i != 500; ++i) {
        const std::string key = "prefix all keys share " + std::to_string(random.below(1000));
        const leaf_scanner all = scanned(tried, "", "q");
        CHECK(hold(all.leaves));
        CHECK(all.keys == tried.scan("", true, SIZE_MAX).size());
        if (tried.update(key, 3)) {
            CHECK(hold(all.leaves));
            tried.remove(key);
        } else {
            tried.insert(key, 1);
        }
        CHECK(!hold(all.leaves));
    }
}

TEST(scans_start_at_a_key_or_after_it)
{
    numbers tried;
    for (int i = 10; i != 60; ++i)
        tried.insert(std::to_string(i), 1);
    CHECK(tried.scan("30", true, 1).front().first == "30");
    CHECK(tried.scan("30", false, 1).front().first == "31");
    CHECK(tried.rscan("30", true, 1).front().first == "30");
    CHECK(tried.rscan("30", false, 1).front().first == "29");
    CHECK(tried.scan(numbers::Str(), true, SIZE_MAX).size() == 50);
    CHECK(tried.rscan(numbers::Str(), true, SIZE_MAX).empty());
    CHECK(tried.scan("", false, SIZE_MAX).size() == 50);
}

namespace {
/** Removes what it visits, and inserts elsewhere. */
struct busy_scanner {
    numbers& tried;
    int visited;
    template <typename SS, typename K>
    void visit_leaf(const SS&, const K&, threadinfo&)
    {
    }
    bool visit_value(numbers::Str key, uint64_t value, threadinfo&)
    {
        ++visited;
        CHECK(tried.remove(key));
        CHECK(tried.insert("0" + std::string(key), value));
        return true;
    }
};
} // namespace

TEST(a_scanner_may_change_the_table)
{
    numbers tried;
    for (int i = 100; i != 400; ++i)
        tried.insert(std::to_string(i), 1);
    busy_scanner scanner = {tried, 0};
    tried.table().scan("1", true, scanner, *numbers::ti);
    CHECK(scanner.visited == 300);
    CHECK(tried.scan("0", true, SIZE_MAX).size() == 300);
}

namespace {
/** Keeps versions as some programs do: the node's, not the stack's. Other threads insert
   meanwhile. */
struct versions_of_nodes {
    numbers& tried;
    observed leaves;
    int inserted;
    template <typename SS, typename K>
    void visit_leaf(const SS& stack, const K&, threadinfo&)
    {
        if (inserted < 5)
            CHECK(tried.insert("b" + std::to_string(inserted++), 1));
        leaves.push_back(
            std::make_pair(stack.node(), stack.node()->full_unlocked_version_value()));
        CHECK(leaves.back().second == stack.full_version_value());
        older_scanner nested;
        tried.table().scan("", true, nested, *numbers::ti);
        CHECK(stack.node()->full_version_value() == stack.full_version_value());
    }
    bool visit_value(numbers::Str key, uint64_t, threadinfo&)
    {
        CHECK(key != "b0");
        return true;
    }
};
} // namespace

TEST(a_node_passed_to_visit_leaf_has_the_version_of_its_keys)
{
    numbers tried;
    tried.insert("a", 1);
    tried.insert("c", 1);
    versions_of_nodes scanner = {tried, observed(), 0};
    tried.table().scan("", true, scanner, *numbers::ti);
    CHECK(scanner.inserted >= 1);
    CHECK(!hold(scanner.leaves));
}

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
namespace {
struct throwing_scanner {
    bool at_a_leaf;
    template <typename SS, typename K>
    void visit_leaf(const SS&, const K&, threadinfo&)
    {
        if (at_a_leaf)
            throw 1;
    }
    bool visit_value(numbers::Str key, uint64_t, threadinfo&)
    {
        if (key == "3")
            throw std::string(key);
        return true;
    }
};
} // namespace

TEST(exceptions_of_a_scanner_leave_scan)
{
    numbers tried;
    for (int i = 0; i != 9; ++i)
        tried.insert(std::to_string(i), 1);
    std::string caught;
    throwing_scanner scanner = {false};
    try {
        tried.table().scan("", true, scanner, *numbers::ti);
    } catch (const std::string& key) {
        caught = key;
    }
    CHECK(caught == "3");
    scanner.at_a_leaf = true;
    bool stopped = false;
    try {
        tried.table().rscan("9", true, scanner, *numbers::ti);
    } catch (int) {
        stopped = true;
    }
    CHECK(stopped);
    CHECK(tried.insert("9", 1));
}
#endif
