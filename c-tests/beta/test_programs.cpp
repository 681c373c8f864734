// Patterns of existing programs, as each uses them.
#include "check.hh"
#include "small_vector.hh"
#include "store.hh"

#include <algorithm>
#include <set>

namespace {

typedef store<uint64_t*> pointers;

/**
 * A scanner for keys from one to below another, as in STO and ERMIA: it looks at its upper bound in
 * the keys of a leaf only if visit_leaf has found that the last of them is not below it.
 */
class bounded_scanner {
public:
    explicit bounded_scanner(Masstree::Str upper) : upper_(upper), compares_(false)
    {
    }
    template <typename I>
    void visit_leaf(const I& iter, const Masstree::key<uint64_t>& key, threadinfo&)
    {
        const int common = std::min(upper_.length(), key.prefix_length());
        const int order = memcmp(upper_.data(), key.full_string().data(), size_t(common));
        if (order < 0 || (order == 0 && upper_.length() <= key.prefix_length())) {
            compares_ = true;
        } else if (order == 0) {
            const uint64_t last =
                iter.node()->ikey0_[iter.permutation()[iter.permutation().size() - 1]];
            const uint64_t slice =
                string_slice<uint64_t>::make_comparable(upper_.data() + key.prefix_length(),
                    std::min(upper_.length() - key.prefix_length(), 8));
            compares_ = slice <= last;
        }
    }
    bool visit_value(const Masstree::key<uint64_t>& key, uint64_t*, threadinfo&)
    {
        if (compares_ && upper_ <= key.full_string())
            return false;
        found.push_back(std::string(key.full_string()));
        return true;
    }
    std::vector<std::string> found;

private:
    Masstree::Str upper_;
    bool compares_;
};

/** Counts objects, and operations on them. */
struct counted {
    counted(int n = 0) : number(n)
    {
        ++there;
    }
    counted(const counted& other) : number(other.number)
    {
        ++there;
    }
    counted& operator=(const counted&) = default;
    ~counted()
    {
        --there;
    }
    int number;
    static int there;
};
int counted::there = 0;

} // namespace

// Put back: 0 in place of the largest slice, in masstree_beta::slices: the scanner never stops. (A
// table of uint64_t* also has g++ -Wall look at memcpy(..., sizeof(V)); put back: size, in word.)
TEST(a_scanner_checks_whether_its_upper_bound_is_in_the_leaf)
{
    pointers tried;
    std::set<std::string> keys;
    random_numbers numbers(seed());
    uint64_t value = 0;
    for (int i = 0; i != 600; ++i) {
        std::string key(size_t(1 + numbers.below(20)), 'a');
        for (size_t k = key.size() < 10 ? 0 : 10; k < key.size(); ++k)
            key[k] = "ab\xff"[numbers.below(3)];
        keys.insert(key);
        tried.insert(key, &value);
    }
    for (const std::string& upper : keys)
        for (const std::string& first : {std::string("a"), std::string("aaaaaaaaab"), upper}) {
            bounded_scanner scanner(upper);
            tried.table().scan(first, true, scanner, *pointers::ti);
            const auto from = keys.lower_bound(first);
            const auto to = keys.lower_bound(upper);
            const std::vector<std::string> due(from, first < upper ? to : from);
            CHECK(scanner.found == due);
        }
    uint64_t* found = nullptr;
    CHECK(tried.get(*keys.begin(), found) && found == &value);
}

// Put back: growing moves the old elements before it constructs the new one, which may be a copy of
// one; or does not destroy them.
TEST(a_small_vector_grows_out_of_its_object)
{
    {
        small_vector<counted, 3> numbers;
        CHECK(numbers.capacity() == 3 && numbers.empty());
        numbers.push_back(counted(0));
        for (int i = 1; i != 100; ++i) {
            numbers.push_back(numbers.back());
            numbers.back().number = i;
        }
        CHECK(numbers.size() == 100 && counted::there == 100 && numbers.capacity() >= 100);
        for (unsigned i = 0; i != 100; ++i)
            CHECK(numbers[i].number == int(i));
        const small_vector<counted, 3> copy(numbers);
        small_vector<counted, 200> other(copy);
        CHECK(other.size() == 100 && other.capacity() == 200 && counted::there == 300);
        numbers.erase(numbers.begin() + 1, numbers.end() - 1);
        CHECK(numbers.size() == 2 && numbers.back().number == 99 && counted::there == 202);
        other = numbers;
        const small_vector<counted, 200>& itself = other;
        other = itself;
        CHECK(other.size() == 2 && counted::there == 104);
        other.resize(5, counted(7));
        CHECK(other.size() == 5 && other.back().number == 7 && other.front().number == 0);
        numbers.clear();
    }
    CHECK(counted::there == 0);

    small_vector<std::string, 2> same;
    same.push_back(std::string(40, 'y'));
    for (int i = 0; i != 20; ++i)
        same.push_back(same.front());
    for (const std::string& one : same)
        CHECK(one == std::string(40, 'y'));

    small_vector<std::string, 0> texts;
    for (int i = 0; i != 50; ++i)
        texts.emplace_back(size_t(i), 'x');
    CHECK(texts.size() == 50 && texts[49].size() == 49 && texts.rbegin()->size() == 49);
}
