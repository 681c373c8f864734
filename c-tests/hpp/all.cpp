// The tests of masstree.hpp as one file, which compiles several times faster: they are built with
// every compiler, standard and set of flags.
#include "test_batch.cpp"
#include "test_bytes.cpp"
#include "test_errors.cpp"
#include "test_held.cpp"
#include "test_keys.cpp"
#include "test_loader.cpp"
#include "test_observation.cpp"
#include "test_owned.cpp"
#include "test_ranges.cpp"
#include "test_store.cpp"
#include "test_store_changes.cpp"
#include "test_store_txn.cpp"
#include "test_thread_exit.cpp"
#include "test_tree.cpp"
#include "test_versioned.cpp"

std::size_t count_in_second_file(const masstree::tree<int> &tree);

TEST(header, is_included_by_two_files)
{
    masstree::tree<int> tree;
    tree.put("a", 1);
    EXPECT_EQ(count_in_second_file(tree), 1u);
}
