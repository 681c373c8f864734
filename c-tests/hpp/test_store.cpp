// Durable stores.
#include "support.hpp"

#include <future>
#include <unistd.h>
#include <utility>

namespace {

using masstree::batch;
using masstree::condition;
using masstree::errc;
using masstree::latest;
using masstree::outcome;
using masstree::store;
using masstree::store_options;
using masstree::store_tree;

/** A directory that is removed with everything in it. */
struct directory {
    std::string path;

    directory()
    {
        char name[] = "/tmp/masstree-hpp-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~directory() { EXPECT_EQ(std::system(("rm -r " + path).c_str()), 0); }
};

std::string value_of(const store_tree &tree, std::string_view key,
                     std::uint64_t seqno = latest)
{
    auto guard = tree.enter();
    const auto found = tree.get(key, seqno, guard);
    return found ? std::string(found->value) : "none";
}

TEST(store, keeps_what_was_written)
{
    const directory place;
    {
        store db(place.path);
        ASSERT_TRUE(db);
        store_tree tree = db.tree("fruit");
        const auto put = db.put(tree, "apple", "red");
        EXPECT_GT(put.commit, 0u);
        EXPECT_TRUE(db.insert(tree, "pear", "yellow"));
        EXPECT_FALSE(db.insert(tree, "pear", "green"));
        db.wait(put.commit);
        EXPECT_GE(db.durable(), put.commit);
        db.checkpoint();
        EXPECT_EQ(db.stats().checkpoints_done, 1u);
        db.close();
        EXPECT_FALSE(db);
    }
    store_options reading;
    reading.read_only = true;
    store db(place.path, reading);
    const store_tree tree = db.tree("fruit");
    EXPECT_EQ(value_of(tree, "apple"), "red");
    EXPECT_EQ(value_of(tree, "pear"), "yellow");
    EXPECT_EQ(tree.size(), 2u);
    EXPECT_FALSE(db.tree("vegetables"));
    std::error_code error;
    db.put(tree, "apple", "blue", error);
    EXPECT_EQ(error, errc::read_only);
}

TEST(store, writes_one_key_as_its_conditions_say)
{
    store db = store::in_memory();
    auto tree = db.tree("t");
    const auto first = db.put(tree, "a", "1");
    EXPECT_FALSE(db.remove(tree, "b"));

    auto guard = tree.enter();
    const auto exchanged = db.exchange(tree, "a", "2", guard);
    EXPECT_TRUE(exchanged);
    EXPECT_EQ(exchanged.old->value, "1");
    EXPECT_EQ(exchanged.old->seqno, first.commit);
    const auto fresh = db.exchange(tree, "b", "3", guard);
    EXPECT_TRUE(fresh);
    EXPECT_FALSE(fresh.old);

    EXPECT_EQ(db.replace_if(tree, "a", condition::version(first.commit), "4").outcome,
              outcome::mismatch);
    EXPECT_TRUE(db.replace_if(tree, "a", condition::version(exchanged.commit), "4"));
    EXPECT_TRUE(db.replace_if(tree, "a", condition::value("4"), "5"));
    EXPECT_EQ(db.replace_if(tree, "c", condition::present(), "6").outcome, outcome::not_found);
    EXPECT_TRUE(db.replace_if(tree, "c", condition::absent(), "6"));
    EXPECT_EQ(db.remove_if(tree, "c", condition::value("7")).outcome, outcome::mismatch);
    EXPECT_TRUE(db.remove_if(tree, "c", condition::present()));

    EXPECT_EQ(db.rename(tree, "a", "b").outcome, outcome::mismatch);
    EXPECT_EQ(db.rename(tree, "c", "b").outcome, outcome::not_found);
    EXPECT_TRUE(db.rename(tree, "a", "b", true));
    EXPECT_EQ(value_of(tree, "a"), "none");
    EXPECT_EQ(value_of(tree, "b"), "5");
    EXPECT_TRUE(db.remove(tree, "b"));
}

TEST(store, commits_batches_whole_over_several_trees)
{
    store db = store::in_memory();
    auto names = db.tree("names");
    auto numbers = db.tree<std::int64_t>("numbers");
    const auto one = db.put(names, "one", "1");
    batch changes(db);
    changes.assert_version(names, "one", one.commit)
        .assert_absent(names, "two")
        .assert_prefix_empty(names, "t")
        .put(names, "two", "2")
        .put(numbers, -2, "two")
        .rename(names, "one", "uno");
    EXPECT_EQ(changes.size(), 6u);
    const auto snapshot = names.open_snapshot();
    const auto done = db.commit(changes);
    EXPECT_TRUE(done);
    EXPECT_EQ(value_of(names, "two"), "2");
    EXPECT_EQ(value_of(names, "uno"), "1");
    EXPECT_EQ(value_of(names, "two", snapshot.seqno()), "none");
    auto guard = numbers.enter();
    EXPECT_EQ(numbers.get(-2, latest, guard)->seqno, done.commit);

    const auto refused = db.commit(changes);
    EXPECT_FALSE(refused);
    EXPECT_TRUE(refused.failed.has_value());
    changes.clear();
    EXPECT_TRUE(changes.empty());
    changes.assert_present(names, "uno").assert_value(names, "uno", "7").remove(names, "uno");
    EXPECT_EQ(db.commit(changes).failed, 1u);
    batch moved = std::move(changes);
    EXPECT_FALSE(changes);
    moved = batch(db);
    EXPECT_TRUE(db.commit(moved.remove(names, "uno")));
    EXPECT_EQ(value_of(names, "uno"), "none");
}

TEST(store, reads_are_those_of_versioned_trees)
{
    store db = store::in_memory();
    auto tree = db.tree("paths");
    for (const char *path : {"a", "b/1", "b/2", "c"})
        db.put(tree, path, path);
    std::string text;
    tree.scan_delimited(
        masstree::range<>{}, latest, "/",
        [&](std::string_view key, const masstree::version &) { text += std::string(key) + " "; },
        [&](std::string_view prefix) { text += std::string(prefix) + " "; });
    EXPECT_EQ(text, "a b/ c ");
    auto cursor = tree.cursor_at(latest);
    EXPECT_TRUE(cursor.last());
    EXPECT_EQ(cursor.key(), "c");
    store_tree moved = std::move(tree);
    EXPECT_FALSE(tree);
    tree = std::move(moved);
    EXPECT_EQ(tree.count(masstree::range<>{}), 4u);
    EXPECT_TRUE(tree.check());
    static_assert(!std::is_convertible_v<store_tree *, masstree::versioned_tree *>,
                  "writes go through the store");
}

TEST(store, calls_back_when_a_commit_is_durable)
{
    const directory place;
    store db(place.path);
    auto tree = db.tree("t");
    const auto put = db.put(tree, "k", "v");
    std::promise<std::uint64_t> promise;
    auto durable = promise.get_future();
    db.on_durable(put.commit,
                  [owned = std::make_unique<std::promise<std::uint64_t>>(std::move(promise))](
                      std::uint64_t commit, bool is_durable) {
                      owned->set_value(is_durable ? commit : 0);
                  });
    db.sync();
    EXPECT_EQ(durable.get(), put.commit);
    EXPECT_EQ(db.failure(), std::nullopt);
    EXPECT_EQ(db.stats().trees, 1u);
    EXPECT_NE(db.stats_json().find("\"trees\":1,"), std::string::npos);
}

TEST(store, lists_its_trees)
{
    store db = store::in_memory();
    for (const char *name : {"b", "", "a"})
        EXPECT_TRUE(db.tree(name));
    std::string names;
    db.list_trees([&](std::string_view name) { names += std::string(name) + ","; });
    EXPECT_EQ(names, "b,,a,");
    db.list_trees([&](std::string_view) { return masstree::flow::stop; });
#if MASSTREE_HAS_EXCEPTIONS
    EXPECT_THROW(db.list_trees([](std::string_view) { throw 7; }), int);
#endif
}

TEST(store, a_snapshot_is_of_all_trees)
{
    store db = store::in_memory();
    auto left = db.tree("left"), right = db.tree("right");
    db.put(left, "a", "old");
    db.put(right, "a", "old");
    std::size_t count = 0;
    {
        const auto snapshot = db.open_snapshot();
        ASSERT_TRUE(snapshot);
        EXPECT_NE(snapshot.handle(), nullptr);
        db.put(left, "a", "new");
        db.put(right, "a", "new");
        auto guard = left.enter();
        auto other = right.enter();
        EXPECT_EQ(left.get("a", snapshot.seqno(), guard)->value, "old");
        EXPECT_EQ(right.get("a", snapshot.seqno(), other)->value, "old");
        db.list_snapshots([&](std::uint64_t seqno, std::chrono::milliseconds age) {
            EXPECT_EQ(seqno, snapshot.seqno());
            EXPECT_GE(age.count(), 0);
            count++;
        });
        EXPECT_EQ(db.stats().snapshots, 1u);
        const directory place;
        EXPECT_TRUE(db.export_to(place.path, snapshot));
        store copy(place.path);
        auto tree = copy.tree("left");
        auto copied = tree.enter();
        EXPECT_EQ(tree.get("a", masstree::latest, copied)->value, "old");
    }
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(db.stats().snapshots, 0u);
}

TEST(store, drops_trees)
{
    store db = store::in_memory();
    store_tree old = db.tree("t");
    db.put(old, "key", "value");
    EXPECT_TRUE(db.drop_tree("t"));
    EXPECT_FALSE(db.drop_tree("t"));
    EXPECT_EQ(db.stats().trees, 0u);
    std::error_code error;
    db.put(old, "key", "value", error);
    EXPECT_EQ(error, masstree::errc::wrong_tree);
    store_tree tree = db.tree("t");
    EXPECT_EQ(value_of(tree, "key"), "none");
}

TEST(store, exports_itself)
{
    const directory place;
    store db = store::in_memory();
    store_tree tree = db.tree("t");
    db.put(tree, "key", "value");
    EXPECT_TRUE(db.export_to(place.path));
    EXPECT_FALSE(db.export_to(place.path));
    EXPECT_FALSE(db.import_from(place.path));
    EXPECT_GT(db.import_from(place.path, true)->keys, 0u);
    store copy(place.path);
    EXPECT_EQ(value_of(copy.tree("t"), "key"), "value");
}

TEST(store, reports_errors)
{
    const directory place;
    std::error_code error;
    store_options wanted;
    wanted.must_exist = true;
    EXPECT_FALSE(store(place.path + "/none", wanted, error));
    EXPECT_FALSE(error);
    const store db(place.path);
    EXPECT_FALSE(store(place.path, error));
    EXPECT_EQ(error, errc::locked);
    masstree_store_failure_t failure = MASSTREE_STORE_FAILURE_INIT;
    wanted.failure = &failure;
    EXPECT_FALSE(store("/dev/null/none", wanted, error));
    EXPECT_NE(failure.os_error, 0);
    store none;
    none.sync(error);
    EXPECT_EQ(error, errc::invalid);
    EXPECT_FALSE(batch(none, error));
    EXPECT_EQ(error, errc::invalid);
    none.on_durable(1, [](std::uint64_t, bool) {}, error);
    EXPECT_EQ(error, errc::invalid);
    EXPECT_EQ(none.durable(), 0u);
}

} // namespace
