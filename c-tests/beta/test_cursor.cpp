// Details of cursors on which programs rely.
#include "check.hh"
#include "store.hh"

namespace {

typedef store<uint64_t> numbers;
typedef numbers::cursor_type cursor;
typedef numbers::unlocked_cursor_type unlocked_cursor;

/** Keys of one layer, in order. */
std::string numbered(int i)
{
    char text[16];
    snprintf(text, sizeof text, "k%06d", i);
    return text;
}

uint64_t value_of(numbers& tried, Masstree::Str key)
{
    uint64_t value = 0;
    CHECK(tried.get(key, value));
    return value;
}

bool has(numbers& tried, Masstree::Str key)
{
    uint64_t value;
    return tried.get(key, value);
}

} // namespace

TEST(the_reference_reads_the_old_value_and_takes_the_new_one)
{
    numbers tried;
    tried.insert("key", 1);
    cursor lp(tried.table(), "key");
    CHECK(lp.find_locked(*numbers::ti));
    uint64_t& value = lp.value();
    const uint64_t old = value;
    value = 2;
    CHECK(old == 1 && lp.value() == 2);
    lp.finish(0, *numbers::ti);
    CHECK(value_of(tried, "key") == 2);
}

TEST(finish_1_overwrites_what_find_insert_found)
{
    numbers tried;
    tried.insert("key", 1);
    {
        cursor lp(tried.table(), "key");
        CHECK(lp.find_insert(*numbers::ti));
        lp.value() = 3;
        CHECK(lp.next_full_version_value(1) == lp.previous_full_version_value());
        lp.finish(1, *numbers::ti);
        CHECK(lp.next_full_version_value(1) == lp.previous_full_version_value());
    }
    CHECK(value_of(tried, "key") == 3);
}

TEST(find_insert_and_finish_0_leave_nothing)
{
    numbers tried;
    {
        cursor lp(tried.table(), "key");
        CHECK(!lp.find_insert(*numbers::ti));
        lp.value() = 1;
        lp.finish(0, *numbers::ti);
    }
    CHECK(!has(tried, "key"));
}

TEST(an_unfinished_cursor_changes_nothing_and_unlocks)
{
    numbers tried;
    tried.insert("there", 1);
    {
        cursor lp(tried.table(), "key");
        CHECK(!lp.find_insert(*numbers::ti));
        lp.value() = 2;
    }
    {
        cursor lp(tried.table(), "there");
        CHECK(lp.find_locked(*numbers::ti));
        lp.value() = 2;
    }
    {
        cursor never_used(tried.table(), "key");
    }
    CHECK(!has(tried, "key"));
    CHECK(value_of(tried, "there") == 1);
    CHECK(tried.insert("key", 3));
    CHECK(tried.update("there", 4));
}

TEST(the_value_of_an_absent_key_is_a_zero_word)
{
    numbers tried;
    cursor lp(tried.table(), "key");
    CHECK(!lp.find_locked(*numbers::ti));
    CHECK(lp.value() == 0);
    lp.finish(0, *numbers::ti);

    unlocked_cursor unlocked(tried.table(), "key");
    CHECK(!unlocked.find_unlocked(*numbers::ti));
    CHECK(unlocked.value() == 0);
}

TEST(removing_an_absent_key_does_nothing)
{
    numbers tried;
    cursor lp(tried.table(), "key");
    CHECK(!lp.find_locked(*numbers::ti));
    lp.finish(-1, *numbers::ti);
    CHECK(!has(tried, "key"));
}

TEST(find_insert_and_finish_minus_1_remove)
{
    numbers tried;
    tried.insert("key", 1);
    cursor lp(tried.table(), "key");
    CHECK(lp.find_insert(*numbers::ti));
    lp.finish(-1, *numbers::ti);
    CHECK(!has(tried, "key"));
}

TEST(versions_are_promised_before_finish_and_kept_after)
{
    numbers tried;
    tried.insert(numbered(1), 1);
    const std::string key = numbered(2);
    cursor lp(tried.table(), key);
    CHECK(!lp.find_insert(*numbers::ti));
    const uint64_t was = lp.previous_full_version_value();
    const uint64_t after = lp.next_full_version_value(1);
    CHECK(lp.node() == lp.original_node());
    CHECK(lp.original_version_value() == was);
    CHECK(lp.updated_version_value() == after);
    CHECK(lp.next_full_version_value(0) == was);
    CHECK(after != was);
    CHECK(lp.new_nodes().empty());
    lp.value() = 2;
    lp.finish(1, *numbers::ti);

    CHECK(lp.node() == lp.original_node());
    CHECK(lp.original_version_value() == was);
    CHECK(lp.previous_full_version_value() == was);
    CHECK(lp.updated_version_value() == after);
    CHECK(lp.next_full_version_value(1) == after);
    CHECK(lp.node()->full_version_value() == after);
    CHECK(lp.node()->full_unlocked_version_value() == after);
}

TEST(a_lock_shows_in_no_version)
{
    numbers tried;
    tried.insert("key", 1);
    unlocked_cursor before(tried.table(), "key");
    before.find_unlocked(*numbers::ti);
    cursor lp(tried.table(), "key");
    lp.find_locked(*numbers::ti);
    CHECK(lp.node() == before.node());
    CHECK(lp.node()->full_version_value() == before.full_version_value());
    lp.value() = 2;
    lp.finish(0, *numbers::ti);
    CHECK(lp.node()->full_version_value() == before.full_version_value());
}

TEST(the_leaf_that_proves_an_absence_changes_with_every_insert_and_remove)
{
    numbers tried;
    for (int i = 0; i != 300; i += 2)
        tried.insert(numbered(i), 1);
    for (int i = 1; i < 300; i += 2) {
        const std::string key = numbered(i);
        unlocked_cursor absent(tried.table(), key.c_str());
        CHECK(!absent.find_unlocked(*numbers::ti));
        const numbers::leaf_type* node = absent.node();
        uint64_t version = absent.full_version_value();
        CHECK(node->full_version_value() == version);
        CHECK(tried.insert(key, 1));
        CHECK(node->full_version_value() != version);
        version = node->full_version_value();
        CHECK(tried.update(key, 2));
        CHECK(node->full_version_value() == version);
        unlocked_cursor there(tried.table(), key);
        CHECK(there.find_unlocked(*numbers::ti));
        version = there.full_version_value();
        CHECK(tried.remove(key));
        CHECK(there.node()->full_version_value() != version);
    }
}

TEST(versions_of_freed_nodes_never_recur)
{
    numbers tried;
    std::vector<std::pair<numbers::leaf_type*, uint64_t>> seen;
    for (int round = 0; round != 3; ++round) {
        for (int i = 0; i != 200; ++i)
            tried.insert("in a layer of its own " + numbered(i), 1);
        for (int i = 0; i != 200; ++i) {
            const std::string key = "in a layer of its own " + numbered(i);
            unlocked_cursor lp(tried.table(), key);
            CHECK(lp.find_unlocked(*numbers::ti));
            seen.push_back(std::make_pair(lp.node(), lp.full_version_value()));
        }
        for (int i = 0; i != 200; ++i)
            tried.remove("in a layer of its own " + numbered(i));
    }
    for (size_t i = 0; i != seen.size(); ++i)
        CHECK(seen[i].first->full_version_value() != seen[i].second);
}

namespace {

/** What STO reads from a cursor after finish, and its database index before it. */
struct told {
    numbers::leaf_type* original;
    numbers::leaf_type* node;
    uint64_t was;
    uint64_t updated;
    uint64_t next;
};

told insert_and_tell(numbers& tried, const std::string& key, bool& split)
{
    cursor lp(tried.table(), key);
    CHECK(!lp.find_insert(*numbers::ti));
    lp.value() = 1;
    const told before = {lp.original_node(), lp.node(), lp.original_version_value(),
        lp.updated_version_value(), lp.next_full_version_value(1)};
    lp.finish(1, *numbers::ti);
    CHECK(lp.original_node() == before.original && lp.node() == before.node);
    CHECK(lp.original_version_value() == before.was);
    CHECK(lp.updated_version_value() == before.updated);
    CHECK(lp.next_full_version_value(1) == before.next);
    split = !lp.new_nodes().empty();
    bool node_is_new = false;
    for (auto&& one : lp.new_nodes()) {
        CHECK(one.first != before.original);
        CHECK(one.first->full_version_value() == one.second);
        node_is_new = node_is_new || one.first == before.node;
    }
    CHECK(node_is_new == (before.node != before.original));
    return before;
}

int splits = 0;
int went_right = 0;

/** Inserts keys in this order; each time, the cursor's versions and leaves must be the actual
   ones. */
void insert_all(numbers& tried, const std::vector<std::string>& keys)
{
    for (size_t i = 0; i != keys.size(); ++i) {
        unlocked_cursor absent(tried.table(), keys[i]);
        CHECK(!absent.find_unlocked(*numbers::ti));
        bool split;
        const told one = insert_and_tell(tried, keys[i], split);
        CHECK(one.original == absent.node());
        CHECK(one.was == absent.full_version_value());
        CHECK(one.updated != one.was);
        CHECK(one.original->full_version_value() == one.updated);
        CHECK(one.node->full_version_value() == one.next);
        unlocked_cursor there(tried.table(), keys[i]);
        CHECK(there.find_unlocked(*numbers::ti));
        CHECK(there.node() == one.node && there.full_version_value() == one.next);
        splits += split;
        went_right += one.node != one.original;
    }
    CHECK(tried.scan("", true, SIZE_MAX).size() == keys.size());
}

} // namespace

TEST(cursors_return_the_leaves_that_an_insert_changes_and_creates)
{
    random_numbers random(seed());
    for (int kind = 0; kind != 5; ++kind) {
        std::vector<std::string> keys;
        for (int i = 0; i != 400; ++i) {
            // Ascending, descending, random order; with layers; and with many at once.
            const int n = kind == 0 ? i : kind == 1 ? 400 - i : i * 7919 % 400;
            const size_t shared = static_cast<size_t>(n % 3) * (kind == 3 ? 8 : 120);
            keys.push_back(kind >= 3
                    ? std::string(shared, 'x') + numbered(n) + (n % 2 == 0 ? " and more" : "")
                    : numbered(n));
        }
        if (kind == 2)
            for (size_t i = keys.size() - 1; i > 0; --i)
                std::swap(keys[i], keys[static_cast<size_t>(random.below(static_cast<int>(i)))]);
        numbers tried;
        insert_all(tried, keys);
        CHECK(splits > 20 * (kind + 1));
    }
    CHECK(went_right > 50 && went_right < splits - 50);
}

TEST(a_finished_cursor_keeps_its_results)
{
    numbers tried;
    numbers::ti->rcu_start();
    bool split = false;
    for (int i = 0; !split; ++i) {
        tried.insert("another", 1);
        const std::string key = numbered(i);
        cursor lp(tried.table(), key);
        lp.find_insert(*numbers::ti);
        lp.finish(1, *numbers::ti);
        const cursor::new_nodes_type nodes = lp.new_nodes();
        const uint64_t updated = lp.updated_version_value();
        split = !nodes.empty();
        CHECK(tried.remove("another"));
        CHECK(lp.new_nodes() == nodes && lp.updated_version_value() == updated);
    }
    numbers::ti->rcu_stop();
}

TEST(a_split_that_is_cancelled_leaves_the_keys_as_they_were)
{
    numbers tried;
    for (int i = 0; i != 15; ++i)
        tried.insert(numbered(i), static_cast<uint64_t>(i));
    for (int i = 0; i != 15; ++i) {
        const std::string key = numbered(i) + " no";
        cursor lp(tried.table(), key);
        CHECK(!lp.find_insert(*numbers::ti));
        lp.finish(0, *numbers::ti);
    }
    const numbers::pairs all = tried.scan("", true, SIZE_MAX);
    CHECK(all.size() == 15);
    for (int i = 0; i != 15; ++i)
        CHECK(all[static_cast<size_t>(i)].first == numbered(i));
}

TEST(a_table_of_a_program_with_its_own_threadinfo)
{
    struct own_threadinfo {
        int calls;
    };
    struct params : public Masstree::nodeparams<> {
        typedef uint64_t value_type;
        typedef own_threadinfo threadinfo_type;
    };
    own_threadinfo ti = {0};
    Masstree::basic_table<params> table;
    table.initialize(ti);
    Masstree::tcursor<params> lp(table, "key", 3);
    CHECK(!lp.find_insert(ti));
    lp.value() = 1;
    lp.finish(1, ti);
    struct {
        void visit_leaf(const Masstree::scanstackelt<params>&, const Masstree::key<uint64_t>&,
            own_threadinfo& given)
        {
            ++given.calls;
        }
        bool visit_value(Masstree::Str, uint64_t value, own_threadinfo& given)
        {
            ++given.calls;
            return value == 1;
        }
    } scanner;
    CHECK(table.scan("", true, scanner, ti) == 1);
    CHECK(ti.calls == 2);
    table.destroy(ti);
}
