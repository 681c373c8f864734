// Transactions over durable stores.
#include "support.hpp"

#include <string>

namespace {

using masstree::errc;
using masstree::flow;
using masstree::isolation;
using masstree::latest;
using masstree::range;
using masstree::store;
using masstree::store_tree;
using masstree::transaction;
using masstree::transaction_body;
using masstree::transaction_options;

std::string newest(const store_tree &tree, std::string_view key)
{
    auto guard = tree.enter();
    const auto found = tree.get(key, latest, guard);
    return found ? std::string(found->value) : "none";
}

TEST(store_txn, reads_its_snapshot_and_its_writes)
{
    store db = store::in_memory();
    auto tree = db.tree("t");
    const auto first = db.put(tree, "a", "1");
    transaction txn(db);
    ASSERT_TRUE(txn);
    EXPECT_GE(txn.seqno(), first.commit);
    db.put(tree, "a", "2");
    const auto read = txn.get(tree, "a");
    EXPECT_EQ(read->value, "1");
    EXPECT_EQ(read->seqno, first.commit);
    EXPECT_FALSE(txn.get(tree, "b"));
    EXPECT_TRUE(txn.insert(tree, "b", "3"));
    EXPECT_FALSE(txn.insert(tree, "b", "4"));
    EXPECT_EQ(txn.get(tree, "b")->seqno, 0u);
    EXPECT_TRUE(txn.rename(tree, "b", "c"));
    EXPECT_FALSE(txn.rename(tree, "b", "c"));
    EXPECT_TRUE(txn.rename(tree, "a", "c", true));
    EXPECT_TRUE(txn.remove(tree, "c"));
    EXPECT_FALSE(txn.remove(tree, "c"));
    EXPECT_FALSE(txn.commit());
    EXPECT_EQ(txn.conflict()->key, "a");
    EXPECT_EQ(txn.conflict()->tree, tree.handle());
    std::error_code error;
    txn.put(tree, "a", "5", error);
    EXPECT_EQ(error, errc::invalid);
    txn.reset();
    EXPECT_FALSE(txn.conflict());
    txn.put(tree, "d", "6");
    transaction moved(std::move(txn));
    EXPECT_FALSE(txn);
    const auto commit = moved.commit();
    EXPECT_TRUE(commit);
    EXPECT_EQ(newest(tree, "d"), "6");
    moved = transaction(db);
    moved.put(tree, "d", "7");
    moved.abort();
    EXPECT_EQ(newest(tree, "d"), "6");
}

TEST(store_txn, scans_and_writes_meanwhile)
{
    store db = store::in_memory();
    auto tree = db.tree("t");
    for (const char *key : {"a", "b", "d"})
        db.put(tree, key, key);
    transaction txn(db);
    std::string seen;
    const auto count = txn.scan(tree, range<>(), [&](std::string_view key, const auto &found) {
        EXPECT_EQ(key, found.value);
        seen += key;
        if (key == "b")
            txn.put(tree, "c", "c");
        return key == "c" ? flow::stop : flow::go_on;
    });
    EXPECT_EQ(count, 3u);
    EXPECT_EQ(seen, "abc");
}

TEST(store_txn, a_cursor_moves_in_both_directions)
{
    store db = store::in_memory();
    auto tree = db.tree("t");
    for (const char *key : {"a", "b", "d"})
        db.put(tree, key, key);
    transaction txn(db);
    txn.put(tree, "c", "own");
    auto cursor = txn.cursor(tree);
    ASSERT_TRUE(cursor);
    EXPECT_FALSE(cursor.key());
    EXPECT_FALSE(cursor.version());
    EXPECT_TRUE(cursor.next());
    EXPECT_EQ(cursor.key(), "a");
    EXPECT_FALSE(cursor.prev());
    EXPECT_TRUE(cursor.seek("b", masstree::seek::above));
    EXPECT_EQ(cursor.key(), "c");
    EXPECT_EQ(cursor.version()->value, "own");
    EXPECT_EQ(cursor.version()->seqno, 0u);
    EXPECT_TRUE(txn.remove(tree, "b"));
    EXPECT_TRUE(cursor.prev());
    EXPECT_EQ(cursor.key(), "a");
    EXPECT_TRUE(cursor.last());
    EXPECT_EQ(cursor.key(), "d");
    auto moved = std::move(cursor);
    EXPECT_FALSE(cursor);
    EXPECT_FALSE(moved.next());
    EXPECT_TRUE(moved.first());
    EXPECT_EQ(moved.key(), "a");
    txn.reset();
    EXPECT_FALSE(moved.key());
    EXPECT_TRUE(moved.seek("c"));
    EXPECT_EQ(moved.key(), "d");
    txn.abort();
    std::error_code error;
    EXPECT_FALSE(moved.prev(error));
    EXPECT_EQ(error, errc::invalid);
    EXPECT_NE(moved.handle(), nullptr);
    moved = {};
    EXPECT_FALSE(moved);
}

TEST(store_txn, isolation_is_an_option)
{
    store db = store::in_memory();
    auto tree = db.tree("t");
    transaction_options wanted;
    wanted.isolation = isolation::snapshot;
    transaction txn(db, wanted);
    EXPECT_FALSE(txn.get(tree, "a"));
    txn.put(tree, "b", "1");
    db.put(tree, "a", "1");
    EXPECT_TRUE(txn.commit());
    wanted.isolation = isolation::read_only;
    txn = transaction(db, wanted);
    std::error_code error;
    txn.put(tree, "b", "2", error);
    EXPECT_EQ(error, errc::read_only);
}

TEST(store_txn, a_callable_is_run_until_it_is_committed)
{
    store db = store::in_memory();
    auto tree = db.tree("t");
    db.put(tree, "a", "1");
    int runs = 0;
    const auto commit = db.transact([&](transaction_body &txn) {
        const std::string old(txn.get(tree, "a")->value);
        if (runs++ < 2)
            db.put(tree, "a", old + "!");
        txn.put(tree, "b", old);
    });
    EXPECT_TRUE(commit);
    EXPECT_EQ(runs, 3);
    EXPECT_EQ(newest(tree, "b"), "1!!");
    EXPECT_FALSE(db.transact([&](transaction_body &txn) {
        txn.put(tree, "b", "discarded");
        return false;
    }));
    EXPECT_EQ(newest(tree, "b"), "1!!");
    transaction_options wanted;
    wanted.max_attempts = 2;
    runs = 0;
    EXPECT_FALSE(db.transact(
        [&](transaction_body &txn) {
            runs++;
            EXPECT_TRUE(txn.get(tree, "a"));
            db.put(tree, "a", "again");
            txn.put(tree, "b", "refused");
        },
        wanted));
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(newest(tree, "b"), "1!!");
}

} // namespace
