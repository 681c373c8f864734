// Keys: integers in numeric order, and bytes.
#include "support.hpp"

#include <limits>

namespace {

template <class K> class integers : public testing::Test {};
using integer_types =
    testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                   std::uint32_t, std::int64_t, std::uint64_t, long long, char32_t>;
TYPED_TEST_SUITE(integers, integer_types, );

template <class K> std::vector<K> sample()
{
    using limits = std::numeric_limits<K>;
    std::vector<K> keys{limits::min(), static_cast<K>(limits::min() + 1), K{0}, K{1},
                        static_cast<K>(limits::max() - 1), limits::max()};
    if constexpr (std::is_signed_v<K>)
        keys.push_back(static_cast<K>(-1));
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return keys;
}

TYPED_TEST(integers, come_in_numeric_order_and_come_back)
{
    using K = TypeParam;
    const auto keys = sample<K>();
    masstree::tree<std::uint32_t, K> tree;
    for (std::size_t i = keys.size(); i-- > 0;)
        tree.put(keys[i], static_cast<std::uint32_t>(i));

    std::vector<K> seen;
    tree.scan({}, [&](K key, std::uint32_t value) {
        EXPECT_EQ(keys[value], key);
        seen.push_back(key);
    });
    EXPECT_EQ(seen, keys);
    for (std::size_t i = 0; i < keys.size(); ++i)
        EXPECT_EQ(tree.get(keys[i]), i);

    auto cursor = tree.cursor();
    ASSERT_TRUE(cursor.seek(keys[1], masstree::seek::above));
    EXPECT_EQ(cursor.key(), keys[2]);
    ASSERT_TRUE(cursor.seek(keys[1], masstree::seek::below));
    EXPECT_EQ(cursor.key(), keys[0]);
}

TYPED_TEST(integers, have_bytes_in_numeric_order)
{
    using K = TypeParam;
    using key = masstree::integer_key<K>;
    const auto keys = sample<K>();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const key bytes(keys[i]);
        EXPECT_EQ(bytes.view().size(), 8u);
        EXPECT_EQ(key::decode(bytes.view().data()), keys[i]);
        if (i > 0) {
            EXPECT_LT(key(keys[i - 1]).view(), bytes.view());
        }
        // The _u64 functions of the C interface use the same bytes.
        std::uint8_t c[8];
        masstree_u64_to_key(key::to_word(keys[i]), c);
        EXPECT_EQ(std::memcmp(c, bytes.view().data(), 8), 0);
    }
}

TEST(integer_key, is_a_part_of_keys_of_bytes)
{
    masstree::tree<int> tree;
    for (int when : {-1, 1, 0}) {
        std::string key = "user";
        key += masstree::integer_key<int>(when).view();
        tree.put(key, when);
    }
    std::vector<int> seen;
    tree.scan_values(masstree::range<>{}.prefix("user"), [&](int when) { seen.push_back(when); });
    EXPECT_EQ(seen, (std::vector<int>{-1, 0, 1}));

    constexpr masstree::integer_key<unsigned> known(0x41424344);
    static_assert(known.view()[4] == 'A');
    EXPECT_EQ(known.view(), std::string_view("\0\0\0\0ABCD", 8));
    // A view of a temporary would dangle: the object kept here owns its bytes.
    const auto kept = masstree::integer_key<unsigned>(0x41424344).view();
    static_assert(!std::is_same_v<decltype(kept), const std::string_view>);
    EXPECT_EQ(kept.view(), known.view());
    tree.put(masstree::integer_key<int>(7).view(), 7);
    EXPECT_EQ(tree.get(masstree::integer_key<int>(7)), 7);
}

TEST(integer_key, cuts_are_integers_too)
{
    masstree::tree<int, std::int16_t> tree;
    for (std::int16_t i = -1000; i < 1000; ++i)
        tree.put(i, i);
    const std::vector<std::int16_t> cuts = tree.pivots(3);
    ASSERT_EQ(cuts.size(), 3u);
    EXPECT_TRUE(std::is_sorted(cuts.begin(), cuts.end()));
    EXPECT_GT(cuts[0], -1000);
    EXPECT_LT(cuts[2], 1000);
}

TEST(byte_keys, are_of_any_length)
{
    masstree::tree<std::size_t> tree;
    for (std::size_t length : {0u, 1u, 7u, 8u, 9u, 16u, 17u, 255u, 256u, 257u, 4096u})
        tree.put(std::string(length, '\xff'), length);
    std::size_t last = 0;
    EXPECT_EQ(tree.scan({},
                        [&](std::string_view key, std::size_t length) {
                            EXPECT_EQ(key, std::string(length, '\xff'));
                            EXPECT_TRUE(length == 0 || length > last);
                            last = length;
                        }),
              11u);
}

} // namespace
