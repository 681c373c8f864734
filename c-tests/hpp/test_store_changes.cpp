// Changes of durable stores.
#include "support.hpp"

#include <cstdlib>
#include <map>
#include <string>

namespace {

using masstree::change_kind;
using masstree::changes;
using masstree::changes_options;
using masstree::errc;
using masstree::level;
using masstree::store;

TEST(store_changes, build_a_replica)
{
    char name[] = "/tmp/masstree-hpp-XXXXXX";
    const std::string directory = ::mkdtemp(name);
    store db(directory);
    auto tree = db.tree("fruit");
    changes from_the_beginning(db, 0);
    ASSERT_TRUE(from_the_beginning);
    EXPECT_FALSE(from_the_beginning.next());
    EXPECT_FALSE(from_the_beginning.wait(0));
    const auto first = db.put(tree, "apple", "red");
    db.put(tree, "pear", "yellow");
    db.remove(tree, "apple");
    db.drop_tree("fruit");
    auto vegetables = db.tree("vegetables");
    db.put(vegetables, "leek", "");
    db.sync();

    std::map<std::string, std::map<std::string, std::string>> replica;
    std::uint64_t last = 0;
    changes cursor(std::move(from_the_beginning));
    EXPECT_FALSE(from_the_beginning);
    EXPECT_TRUE(cursor.wait());
    while (const auto change = cursor.next()) {
        const std::string of(change->tree), key(change->key);
        EXPECT_TRUE(change->is_last);
        EXPECT_GT(change->tree_number, 0u);
        EXPECT_GT(change->commit, last);
        last = change->commit;
        switch (change->kind) {
        case change_kind::put: replica[of][key] = std::string(change->value); break;
        case change_kind::remove: EXPECT_EQ(replica[of].erase(key), 1u); break;
        case change_kind::tree_made: EXPECT_TRUE(replica.emplace(of, replica["none"]).second); break;
        case change_kind::tree_dropped: EXPECT_EQ(replica.erase(of), 1u); break;
        }
    }
    replica.erase("none");
    ASSERT_EQ(replica.size(), 1u);
    EXPECT_EQ(replica["vegetables"]["leek"], "");

    changes_options wanted;
    wanted.level = level::written;
    wanted.held_log_bytes = 1 << 20;
    cursor = changes(db, first.commit, wanted);
    EXPECT_EQ(cursor.next()->value, "yellow");
    EXPECT_FALSE(changes(db, last + 1000));
    std::error_code error;
    const store none = store::in_memory();
    EXPECT_FALSE(changes(none, 0, wanted, error));
    EXPECT_EQ(error, errc::invalid);
    cursor = changes(none, 0, wanted, error);
    db.close();
    EXPECT_EQ(std::system(("rm -r " + directory).c_str()), 0);
}

} // namespace
