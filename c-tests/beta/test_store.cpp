// One thread: a store returns what a std::map would.
#include "check.hh"
#include "store.hh"

#include <map>

namespace {

typedef std::map<std::string, uint64_t> model;

/** Keys that share prefixes, of up to five layers, and the empty one. */
std::string random_key(random_numbers& random)
{
    std::string key;
    const int pieces = random.below(5);
    for (int i = 0; i != pieces; ++i)
        key += random.below(2) == 0 ? "eight by" : "otherwise";
    key += std::string(static_cast<size_t>(random.below(3)), '\0');
    if (random.below(10) != 0)
        key += std::to_string(random.below(40));
    return key;
}

store<uint64_t>::pairs part(const model& expected, const std::string& first, bool match, size_t limit)
{
    store<uint64_t>::pairs pairs;
    model::const_iterator i =
        match ? expected.lower_bound(first) : expected.upper_bound(first);
    for (; i != expected.end() && pairs.size() != limit; ++i)
        pairs.push_back(*i);
    return pairs;
}

store<uint64_t>::pairs part_back(
    const model& expected, const std::string& first, bool match, size_t limit)
{
    store<uint64_t>::pairs pairs;
    model::const_iterator i =
        match ? expected.upper_bound(first) : expected.lower_bound(first);
    while (i != expected.begin() && pairs.size() != limit)
        pairs.push_back(*--i);
    return pairs;
}

void step(store<uint64_t>& tried, model& expected, random_numbers& random)
{
    const std::string key = random_key(random);
    const uint64_t value = random.next();
    const bool there = expected.count(key) != 0;
    uint64_t got = 0;
    switch (random.below(7)) {
    case 0:
        CHECK(tried.insert(key, value) == !there);
        expected.insert(std::make_pair(key, value));
        break;
    case 1:
        CHECK(tried.put(key.data(), key.size(), value) == !there);
        expected[key] = value;
        break;
    case 2:
        CHECK(tried.update(key, value) == there);
        if (there)
            expected[key] = value;
        break;
    case 3:
        CHECK(tried.remove(key) == there);
        expected.erase(key);
        break;
    case 4:
        CHECK(tried.get(key, got) == there);
        CHECK(!there || got == expected[key]);
        break;
    case 5:
        CHECK(tried.table().get(key, got, *store<uint64_t>::ti) == there);
        CHECK(!there || got == expected[key]);
        break;
    default:
        const bool match = random.below(2) == 0;
        const size_t limit = static_cast<size_t>(1 + random.below(50));
        CHECK(tried.scan(key, match, limit) == part(expected, key, match, limit));
        CHECK(tried.rscan(key, match, limit) == part_back(expected, key, match, limit));
    }
}

} // namespace

TEST(a_store_behaves_like_a_map)
{
    random_numbers random(seed());
    store<uint64_t> tried;
    model expected;
    const int steps = shortened(60000);
    for (int i = 0; i != steps; ++i)
        step(tried, expected, random);
    CHECK(tried.scan("", true, SIZE_MAX) == part(expected, "", true, SIZE_MAX));
}

TEST(a_table_can_be_destroyed_and_made_again)
{
    store<uint64_t> tried;
    threadinfo* ti = store<uint64_t>::ti;
    ti->rcu_start();
    CHECK(tried.insert("key", 1));
    tried.table().destroy(*ti);
    ti->rcu_stop();
    tried.table().initialize(*ti);
    uint64_t value;
    CHECK(!tried.get("key", value));
    CHECK(tried.insert("key", 2));
    CHECK(tried.get("key", value) && value == 2);
}

namespace {
struct pair_of_words {
    uint32_t low;
    int16_t high;
};
enum class colour : uint8_t { red, green };

template <typename V>
bool keeps(V value)
{
    store<V> tried;
    V got = V();
    tried.insert("key", value);
    return tried.get("key", got) && memcmp(&got, &value, sizeof(V)) == 0;
}
} // namespace

TEST(values_are_of_any_type_up_to_eight_bytes)
{
    CHECK(keeps<int64_t>(-1));
    CHECK(keeps<double>(0.1));
    CHECK(keeps<bool>(true));
    CHECK(keeps<char>('c'));
    CHECK(keeps<float>(-0.5f));
    CHECK(keeps<colour>(colour::green));
    int number = 0;
    CHECK(keeps<int*>(&number));
    CHECK(keeps<void*>(nullptr));
    pair_of_words words;
    memset(&words, 0, sizeof words);
    words.low = 7;
    words.high = -3;
    CHECK(keeps<pair_of_words>(words));
}

TEST(keys_may_be_longer_than_255_bytes)
{
    store<uint64_t> tried;
    const std::string long_key(1 << 20, 'k');
    CHECK(tried.insert(long_key, 1));
    CHECK(tried.insert(long_key + "l", 2));
    uint64_t value;
    CHECK(tried.get(long_key, value) && value == 1);
    CHECK(tried.scan(long_key, false, 9).front().first == long_key + "l");
}

TEST(a_table_prints_itself_and_its_statistics)
{
    store<uint64_t> tried;
    for (int i = 0; i != 100; ++i)
        tried.insert(std::to_string(i), 1);
    char* text = nullptr;
    size_t length = 0;
    FILE* file = open_memstream(&text, &length);
    tried.table().print(file);
    fclose(file);
    CHECK(length > 0);
    CHECK(strstr(text, "99") != nullptr);
    free(text);

    const lcdf::String json = Masstree::json_stats(tried.table(), store<uint64_t>::ti)
        .unparse(lcdf::Json::indent_depth(1000).tab_width(2).newline_terminator(true));
    CHECK(strstr(json.c_str(), "\"keys\":100") != nullptr
        || strstr(json.c_str(), "\"keys\": 100") != nullptr);
}
