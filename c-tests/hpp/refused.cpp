// Functions that keep a view refuse arguments that would dangle. refused.sh compiles this with REFUSED
// defined: the compiler must report each of those lines, with the text that is given before it; and
// without REFUSED, where it must compile.
// Put back: an overload that is deleted, or an assertion in batch.hpp.
#include <masstree.hpp>

#include <iterator>
#include <sstream>
#include <string>
#include <vector>

using masstree::range;

namespace {

/** An object that owns its bytes. */
struct text {
    char bytes[4];
    operator std::string_view() const { return {bytes, sizeof bytes}; }
};

/** An iterator that creates strings, or views of a permanent one. */
template <class S> struct making {
    using iterator_category = std::forward_iterator_tag;
    using value_type = S;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = S;
    int place;
    S operator*() const { return S("key"); }
    making &operator++()
    {
        ++place;
        return *this;
    }
    bool operator==(const making &other) const { return place == other.place; }
    bool operator!=(const making &other) const { return place != other.place; }
};

template <class S> struct made {
    making<S> begin() const { return {0}; }
    making<S> end() const { return {3}; }
};

/** A container of the words of a stream, whose iterators contain one string each. */
struct words {
    std::istream &stream;
    std::istream_iterator<std::string> begin() const
    {
        return std::istream_iterator<std::string>(stream);
    }
    std::istream_iterator<std::string> end() const { return {}; }
};

} // namespace

/* Long: each refused case, and what must compile. */
int main()
{
    const std::string key = "key", more = "more";
    const std::string_view view = key;
    const text own{{'t', 'e', 'x', 't'}};
    const masstree::integer_key<int> number(5);
    masstree::tree<int> tree;
    masstree::bytes_tree bytes;
    const masstree::guard guard = tree.enter();
    const std::vector<std::string> strings{key, more};
    std::istringstream stream("a b");

#if defined(REFUSED)
    // range from(A &&) const
    static_cast<void>(range<>{}.from(key + more));
    // range after(A &&) const
    static_cast<void>(range<>{}.after(key + more));
    // range through(A &&) const
    static_cast<void>(range<>{}.through(std::string("key")));
    // range before(A &&) const
    static_cast<void>(range<>{}.before(text{{'t', 'e', 'x', 't'}}));
    // range prefix(A &&) const
    static_cast<void>(range<>{}.prefix(key + more));
    // range prefix(A &&) const
    static_cast<void>(range<>{}.prefix(guard ? "a" : key));
    // range from(A &&) const
    static_cast<void>(range<>{}.from(masstree::integer_key<int>(5).view()));
    // to_c(
    static_cast<void>(range<int>{}.from(5).to_c());
    // hold(A &&
    auto refused = tree.hold(key + more, guard);
    // recording(guard &&
    masstree::recording none(tree.enter());
    // the iterators of the keys must not create or contain the strings
    static_cast<void>(tree.get_many(made<std::string>{}));
    // the iterators of the keys must not create or contain the strings
    static_cast<void>(bytes.bulk_load(made<std::string>{}, strings));
    // the iterators of the values must not create or contain the strings
    bytes.put_many(strings, made<std::string>{});
    // the iterators of the values must not create or contain the strings
    static_cast<void>(bytes.bulk_load(strings, made<std::string>{}));
    // the iterators of the keys must not create or contain the strings
    tree.remove_many(words{stream});
    // key(errors report = {}) const &&
    static_cast<void>(tree.cursor(guard).key());
    // lasting(guard &&)
    auto cursor = tree.cursor(tree.enter());
    // guarded(guard &&)
    static_cast<void>(bytes.get(key, bytes.enter()));
#endif

    // All of these objects outlive their use.
    const range<> all = range<>{}.from(key).after(view).through("literal").before(key.c_str());
    static_cast<void>(all.prefix(own).prefix(number).prefix(number.view()).prefix({"ab", 1}));
    static_cast<void>(all.prefix(std::string_view(key).substr(1)));
    static_cast<void>(range<int>{}.from(5).after(static_cast<short>(5)));
    for (const auto item : tree.items(range<>{}.prefix(key)))
        static_cast<void>(item);
    // These are used at once.
    tree.put(key + more, 1);
    bytes.put(key + more, key + more);
    static_cast<void>(tree.get(masstree::integer_key<int>(5).view()));
    std::string part = key;
    part += masstree::integer_key<int>(5).view();
    tree.hold(key, guard).set(2);
    tree.hold("literal", guard).set(2);
    static_cast<void>(tree.get_many(strings));
    static_cast<void>(tree.get_many(std::vector<const char *>{"a", "b"}));
    static_cast<void>(tree.get_many(made<std::string_view>{}));
    bytes.put_many(strings, made<std::string_view>{});
    static_cast<void>(masstree::tree<int, int>().get_many(std::vector<short>{1, 2}));
    static_cast<void>(masstree::tree<int, int>().cursor().key());
}
