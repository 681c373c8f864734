// Versioned trees.
#include "support.hpp"

#include <utility>

namespace {

using masstree::latest;
using masstree::version_kind;

TEST(versioned, reads_as_of_a_number)
{
    masstree::versioned_tree tree;
    EXPECT_TRUE(tree.put("apple", 1, "red"));
    EXPECT_TRUE(tree.put("apple", 3, "green"));
    EXPECT_FALSE(tree.put("apple", 3, "again"));
    EXPECT_TRUE(tree.put("apple", 5, "", version_kind::tombstone));
    auto guard = tree.enter();
    EXPECT_EQ(tree.get("apple", 0, guard), std::nullopt);
    EXPECT_EQ(tree.get("apple", 2, guard)->value, "red");
    EXPECT_EQ(tree.get("apple", 4, guard)->seqno, 3u);
    EXPECT_EQ(tree.get("apple", latest, guard), std::nullopt);
    EXPECT_EQ(tree.newest("apple", latest, guard)->kind, version_kind::tombstone);
    EXPECT_EQ(tree.put_unless_newer("apple", 4, "late"), 5u);
    EXPECT_EQ(tree.put_unless_newer("pear", 4, "yellow"), std::nullopt);
    tree.remove_range("p", "q", 6);
    EXPECT_EQ(tree.get("pear", 5, guard)->value, "yellow");
    EXPECT_EQ(tree.newest("pear", 6, guard)->kind, version_kind::range_tombstone);
    std::size_t ranges = 0;
    tree.scan_range_tombstones(
        [&](std::string_view lower, std::string_view upper, std::uint64_t seqno) {
            EXPECT_EQ(lower, "p");
            EXPECT_EQ(upper, "q");
            ranges += seqno;
        });
    EXPECT_EQ(ranges, 6u);
}

TEST(versioned, many_at_once)
{
    masstree::basic_versioned_tree<int> tree;
    std::vector<int> keys;
    std::vector<std::uint64_t> seqnos;
    std::vector<std::string> values;
    for (int i = 0; i < 1000; i++) {
        keys.push_back(i);
        seqnos.push_back(1 + static_cast<std::uint64_t>(i));
        values.push_back(std::to_string(i));
    }
    EXPECT_EQ(tree.put_many(keys, seqnos, values), 1000u);
    EXPECT_EQ(tree.put_many(keys, seqnos, values), 0u);
    std::error_code error;
    EXPECT_EQ(tree.put_many(keys, std::vector<std::uint64_t>{1}, values, version_kind::value, error), 0u);
    EXPECT_EQ(error, masstree::errc::invalid);
    seqnos.assign(1000, 2000);
    EXPECT_EQ(tree.put_many(keys, seqnos, values, version_kind::tombstone), 1000u);
    auto guard = tree.enter();
    const auto found = tree.get_many(keys, 500, guard);
    ASSERT_EQ(found.size(), 1000u);
    for (std::size_t i = 0; i < found.size(); i++) {
        EXPECT_EQ(found[i].has_value(), i < 500);
        EXPECT_TRUE(!found[i] || found[i]->value == values[i]);
    }
    EXPECT_EQ(tree.get_many(keys, latest, guard)[7], std::nullopt);
    EXPECT_TRUE(tree.trim(2000).freed > 0);
    const auto too_old = tree.get_many(keys, 500, {guard, error});
    EXPECT_EQ(error, masstree::errc::too_old);
    EXPECT_EQ(too_old[0], std::nullopt);
}

TEST(versioned, visits_operands_and_versions_in_order)
{
    masstree::basic_versioned_tree<int> tree;
    tree.put(-1, 1, "1");
    tree.put(-1, 2, "+2", version_kind::merge);
    tree.put(7, 3, "3");
    std::string merged;
    EXPECT_EQ(tree.operands(-1, latest,
                            [&](const masstree::version &operand) { merged += operand.value; }),
              2u);
    EXPECT_EQ(merged, "+21");
    std::vector<std::pair<int, std::uint64_t>> seen;
    auto note = [&](int key, const masstree::version &of) { seen.emplace_back(key, of.seqno); };
    EXPECT_EQ(tree.scan({}, 2, note), 1u);
    EXPECT_EQ(tree.scan_versions(nullptr, note), 3u);
    const std::vector<std::pair<int, std::uint64_t>> wanted{{-1, 2}, {-1, 2}, {-1, 1}, {7, 3}};
    EXPECT_EQ(seen, wanted);
    const std::size_t stopped_after = tree.scan_versions(
        nullptr, [](int, const masstree::version &) { return masstree::flow::stop; });
    EXPECT_EQ(stopped_after, 1u);
}

TEST(versioned, cursors_move_both_ways)
{
    masstree::versioned_tree tree;
    tree.put("a", 1, "a1");
    tree.put("b", 2, "b2");
    tree.put("b", 4, "b4");
    auto versions = tree.version_cursor();
    ASSERT_TRUE(versions.seek_at("b", 3));
    EXPECT_EQ(versions.version()->value, "b2");
    ASSERT_TRUE(versions.prev());
    EXPECT_EQ(versions.version()->seqno, 4u);
    EXPECT_EQ(versions.key(), "b");
    auto at = tree.cursor_at(3);
    ASSERT_TRUE(at.last());
    EXPECT_EQ(at.version()->value, "b2");
    ASSERT_TRUE(at.prev());
    EXPECT_EQ(at.key(), "a");
    EXPECT_FALSE(at.prev());
    ASSERT_TRUE(at.first());
    ASSERT_TRUE(at.seek("a", masstree::seek::above));
    EXPECT_FALSE(at.next());
}

TEST(versioned, groups_snapshots_trims_and_seals)
{
    masstree::versioned_tree tree(masstree::options{}, {}, masstree::freeing::when_overwritten);
    auto guard = tree.enter();
    const auto first = tree.next_seqno();
    ASSERT_TRUE(first.has_value());
    tree.put("k", *first, "old");
    EXPECT_EQ(tree.get("k", latest, guard), std::nullopt);
    EXPECT_EQ(tree.publish(*first), *first);
    auto snapshot = tree.open_snapshot();
    for (int i = 0; i < 3; i++) {
        const auto number = tree.next_seqno();
        tree.put("k", *number, "new");
        tree.publish(*number);
    }
    EXPECT_EQ(tree.get("k", snapshot.seqno(), guard)->value, "old");
    EXPECT_EQ(tree.version_stats().versions, 3u);
    std::error_code code;
    EXPECT_EQ(tree.get("k", snapshot.seqno() + 1, {guard, code}), std::nullopt);
    EXPECT_EQ(code, masstree::errc::too_old);
    auto moved = std::move(snapshot);
    EXPECT_TRUE(moved);
    moved = masstree::snapshot();
    EXPECT_EQ(tree.version_stats().snapshots, 0u);
    const auto trimmed = tree.trim(latest);
    EXPECT_TRUE(trimmed.finished);
    EXPECT_EQ(tree.version_stats().versions, 1u);
    tree.seal();
    EXPECT_FALSE(tree.put("k", 100, "", version_kind::value, code));
    EXPECT_EQ(code, masstree::errc::read_only);
}

TEST(versioned, digests_are_verified)
{
    masstree::versioned_tree tree;
    const std::uint32_t digest = tree.digest_of("key", 1, "value");
    EXPECT_TRUE(tree.put_digested("key", 1, "value", digest));
    auto guard = tree.enter();
    EXPECT_EQ(tree.get("key", 1, guard)->digest, digest);
    std::vector<std::uint64_t> faulty;
    auto note = [&](std::string_view, std::uint64_t seqno, masstree::version_fault fault) {
        EXPECT_EQ(fault, masstree::version_fault::digest);
        faulty.push_back(seqno);
    };
    EXPECT_TRUE(tree.verify_digests(note));
    EXPECT_TRUE(tree.put_digested("key", 2, "value", digest));
    EXPECT_FALSE(tree.verify_digests(note));
    EXPECT_EQ(faulty, std::vector<std::uint64_t>{2});
}

} // namespace
