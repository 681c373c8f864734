// Uses each name in the list of include/masstree_beta/README.md at least once: names.sh compares
// that list with this file.
#include "check.hh"
#include "circular_int.hh"
#include "json.hh"
#include "masstree_key.hh"
#include "masstree_split.hh"
#include "masstree_struct.hh"
#include "mtcounters.hh"
#include "nodeversion.hh"
#include "small_vector.hh"
#include "store.hh"
#include "str.hh"
#include "string_slice.hh"
#include "timestamp.hh"

#include <sstream>
#include <type_traits>

namespace {

nodeversion32 global_lock(false);

template <typename A, typename B>
bool same()
{
    return std::is_same<A, B>::value;
}

threadinfo& some_thread()
{
    static threadinfo* ti = threadinfo::make(threadinfo::TI_CHECKPOINT, 3);
    return *ti;
}

std::string tested()
{
    std::ostringstream out;
    out << lcdf::Str("text", 2) << lcdf::String("more");
    return out.str();
}

} // namespace

TEST(names_of_compiler_hh)
{
    fence();
    memory_fence();
    acquire_fence();
    release_fence();
    relax_fence();
    relax_fence_function()();
    do_nothing_function()();
    int place = 1;
    prefetch(&place);
    prefetchnta(&place);
    CHECK(likely(place == 1) && !unlikely(place != 1));
    always_assert(place == 1);
    always_assert(place == 1, "a reason");
    mandatory_assert(place == 1);
    masstree_invariant(place == 1);
    masstree_precondition(place == 1);

    volatile uint64_t word = 1;
    CHECK(fetch_and_add(&word, 2) == 1 && word == 3);
    CHECK(cmpxchg(&word, 3u, 4u) == 3 && word == 4);
    CHECK(cmpxchg(&word, 3u, 5u) == 4 && word == 4);
    CHECK(bool_cmpxchg(&word, 4u, 5u) && !bool_cmpxchg(&word, 4u, 6u) && word == 5);
    CHECK(xchg(&word, 6) == 5 && word == 6);

    relaxed_atomic<uint64_t> relaxed = 1;
    relaxed.store(relaxed.load() + 1);
    relaxed += 3;
    relaxed -= 1;
    ++relaxed;
    --relaxed;
    CHECK(relaxed++ == 4 && relaxed-- == 5 && relaxed == 4);
    relaxed = 9;
    const relaxed_atomic<uint64_t> copy = relaxed;
    CHECK(copy == 9);

    CHECK(net_to_host_order(host_to_net_order(uint32_t(7))) == 7);
    CHECK(host_to_net_order(uint16_t(0x0102)) != 0);
    CHECK(CACHE_LINE_SIZE == 64 && MASSTREE_MAXKEYLEN == 255);

    const int three[] = {1, 2, 3};
    CHECK(arraysize(three) == 3 && three[2] == 3);
    const uint64_t cycles = read_tsc();
    CHECK(read_tsc() - cycles < UINT64_C(1) << 60);
}

// Put back: a large type that is not passed by reference.
TEST(names_of_traits)
{
    CHECK((same<mass::integral_constant<bool, true>, mass::true_type>() && !mass::false_type::value));
    CHECK((same<mass::type_synonym<int>::type, int>()));
    CHECK((same<mass::conditional<false, int, char>::type, char>()));
    CHECK((same<mass::remove_const<const int>::type, int>()));
    CHECK((same<mass::remove_volatile<volatile int>::type, int>()));
    CHECK((same<mass::remove_cv<const volatile int>::type, int>()));
    CHECK(mass::is_pointer<int*>::value && mass::is_reference<int&>::value);
    CHECK((same<mass::make_unsigned<int>::type, unsigned>()));
    CHECK((same<mass::make_signed<unsigned>::type, int>()));
    CHECK(mass::is_trivially_copyable<int>::value && !mass::is_trivially_copyable<std::string>::value);
    CHECK(mass::is_trivially_destructible<int>::value);
    CHECK(!mass::is_trivially_destructible<std::string>::value);
    CHECK((same<mass::fast_argument<int>::type, int>() && !mass::fast_argument<int>::is_reference));
    CHECK((same<mass::fast_argument<std::string>::type, const std::string&>()));
    CHECK((same<mass::fast_argument<random_numbers[2]>::type, const random_numbers (&)[2]>()));
    CHECK((same<mass::fast_argument<std::string&>::type, std::string&>()));
}

TEST(names_of_small_vectors)
{
    typedef small_vector<int, 2> ints;
    ints some;
    some.push_back(1);
    some.emplace_back(2);
    some.resize(3, 3);
    CHECK(some.size() == 3 && some.capacity() > ints::small_capacity && !some.empty() && some);
    CHECK(some.front() == 1 && some.back() == 3 && some[1] == 2);
    some.pop_back();
    const ints copy(some);
    CHECK(copy.end() - copy.begin() == 2 && copy.cend() - copy.cbegin() == 2);
    CHECK(*copy.rbegin() == 2 && copy.rend() - copy.rbegin() == 2 && *copy.crbegin() == 2);
    CHECK(copy.crend() - copy.crbegin() == 2 && copy.front() == 1 && copy.back() == 2);
    const ints::iterator next = some.erase(some.begin());
    CHECK(*next == 2 && some.size() == 1 && *some.rbegin() == 2 && some.rend() != some.rbegin());
    some = copy;
    CHECK(some.size() == 2);
    some.clear();
    const ints::const_iterator none = some.end();
    const ints::reverse_iterator last = some.rbegin();
    const ints::const_reverse_iterator end = copy.rend();
    CHECK(none == some.begin() && last == some.rend() && end == copy.rend() && !some);
    CHECK((same<ints::value_type, int>() && same<ints::size_type, unsigned>()));
}

TEST(names_of_numbers)
{
    const kvtimestamp_t now = timestamp();
    const kvepoch_t epoch = now;
    CHECK(epoch == now && now > 1000000);
    typedef circular_int<uint32_t> circular;
    CHECK(circular::less(UINT32_MAX, 1) && circular::less_equal(1, 1));
    CHECK(circular::difference(1, UINT32_MAX) == 2);
    circular one(1);
    ++one;
    --one;
    one += 4;
    one -= 4;
    CHECK(one.value() == 1 && one < circular(2) && one <= one && one == one && one != circular(2));
    CHECK(circular(2) > one && circular(2) >= one && circular(2) - one == 1);
    CHECK((one + 1).value() == 2 && (one - 1).value() == 0);
    CHECK((same<circular::value_type, uint32_t>() && same<circular::difference_type, int32_t>()));
    CHECK(string_slice<uint64_t>::make_comparable("ab", 2) == 0x6162000000000000u);
    char text[8];
    CHECK(string_slice<uint64_t>::unparse_comparable(text, 8, 0x6162000000000000u) == 2);
    CHECK(text[0] == 'a' && text[1] == 'b');
}

TEST(names_of_locks)
{
    global_lock.lock();
    CHECK(global_lock.locked() && !global_lock.isleaf() && !global_lock.try_lock());
    global_lock.unlock();
    nodeversion64 other;
    nodeversion third(true);
    CHECK(!other.locked() && third.isleaf());
    CHECK(nodeversion::traits_type::lock_bit == 0);
}

TEST(names_of_strings)
{
    using lcdf::Str;
    using lcdf::String;
    const Str text("some text", 9);
    CHECK(text.s != nullptr && text.len == 9 && text.length() == 9 && text.size() == 9);
    CHECK(text.data() == text.begin() && text.end() == text.s + 9);
    CHECK(text.udata()[0] == 's' && text.mutable_data() == text.s);
    CHECK(!text.empty() && bool(text) && !Str() && text[1] == 'o');
    CHECK(text.front() == 's' && text.back() == 't');
    CHECK(text.prefix(4) == "some" && text.substr(5) == Str("text") && text.substr(5, 2) == "te");
    CHECK(text.compare("some") > 0 && Str::compare("a", "b") < 0 && text.equals(text));
    CHECK(text.starts_with("some") && text.find_left('t') == 5);
    CHECK(text != "x" && text < "x" && text <= "x" && Str("x") > text && Str("x") >= text);
    CHECK(Str(text.udata(), 4) == "some" && Str(text.s, text.s + 4) == "some");
    CHECK(Str(text.udata(), text.udata() + 4) == Str::make_string("some", 4));
    CHECK(std::string(text) == "some text" && Str(std::string("a")) == "a");
    Str assigned;
    assigned.assign(text.s, 4);
    CHECK(assigned == "some");
    CHECK((same<Str::substring_type, Str>()));

    String own(text);
    own += String("!");
    CHECK(own + String(std::string("?")) == String("some text!?") && own != String());
    CHECK(own.length() == 10 && !own.empty() && bool(own) && own[9] == '!');
    CHECK(strcmp(own.c_str(), own.data()) == 0 && own.end() - own.begin() == 10);
    CHECK(Str(own) == "some text!" && own < String("t") && String("ab", 1) == String("a"));
    CHECK(tested() == "temore");

    const lcdf::Json json;
    CHECK(json.unparse() == String("null") && String(json) == String("null"));
    CHECK(json.unparse(lcdf::Json::tab_width(2)) == json.unparse(lcdf::Json::space_separator(true)));
    CHECK(json.unparse(lcdf::Json::newline_terminator(true).indent_depth(1)) == String("null"));
    const lcdf::Json::unparse_manipulator layout = lcdf::Json::indent_depth(2);
    CHECK(json.unparse(layout.tab_width(1).space_separator(true)) == String("null"));
}

TEST(names_of_threads)
{
    threadinfo& ti = some_thread();
    CHECK(ti.purpose() == threadinfo::TI_CHECKPOINT && ti.index() == 3);
    CHECK(threadinfo::TI_MAIN == 0 && threadinfo::TI_PROCESS == 1 && threadinfo::TI_LOG == 2);
    CHECK(threadinfo::allthreads != nullptr);
    const threadinfo* next = ti.next();
    CHECK(next != &ti);
    ti.pthread() = pthread_self();
    CHECK(ti.operation_timestamp() > 0 && ti.update_timestamp() == 2);
    CHECK(ti.update_timestamp(5) == 6 && ti.update_timestamp(3, 7) == 8);
    ti.increment_timestamp();
    ti.advance_timestamp(100);
    CHECK(ti.update_timestamp() == 100);
    ti.mark(tc_root_retry);
    ti.mark(tc_alloc, 7);
    ti.reset_counters();
    CHECK(!ti.has_counter(tc_gc) && ti.counter(tc_limbo_slots) == 0 && tc_max > tc_leaf_walk);
    threadinfo::accounting_relax_fence_function counted =
        ti.accounting_relax_fence(tc_internode_retry);
    counted(1);
    const threadcounter which = tc_gc;
    const memtag kind = memtag_value;
    CHECK(ti.counter(which) == 0 && kind != memtag_none);
    ti.stable_fence()();
    ti.lock_fence(tc_leaf_lock)();

    ti.deallocate(ti.allocate(10, memtag_none), 10, memtag_none);
    ti.deallocate_rcu(ti.allocate(10, memtag_masstree_gc), 10, memtag_masstree_gc);
    void* line = ti.pool_allocate(10, memtag_masstree_leaf);
    CHECK(reinterpret_cast<uintptr_t>(line) % CACHE_LINE_SIZE == 0);
    ti.pool_deallocate(line, 10, memtag_masstree_leaf);
    ti.pool_deallocate_rcu(ti.pool_allocate(10, memtag_limbo), 10, memtag_limbo);

    struct callback : public threadinfo::rcu_callback {
        void operator()(threadinfo&) override
        {
            delete this;
        }
    };
    CHECK((same<threadinfo::mrcu_callback, mrcu_callback>()));
    ti.rcu_start();
    ti.rcu_register(new callback);
    ti.rcu_quiesce();
    ti.rcu_stop();
    const mrcu_epoch_type epoch = threadinfo::min_active_epoch();
    CHECK(static_cast<mrcu_signed_epoch_type>(epoch) > 0);
}

namespace {
struct all_of_it {
    struct P : public Masstree::nodeparams<15, 15> {
        typedef uint64_t value_type;
        typedef Masstree::value_print<value_type> value_print_type;
        typedef threadinfo threadinfo_type;
        typedef number_printer key_unparse_type;
    };
    typedef Masstree::basic_table<P> table;
    typedef Masstree::tcursor<P> cursor;
    typedef Masstree::unlocked_tcursor<P> unlocked;
    typedef Masstree::node_base<P> node;
    typedef Masstree::leaf<P> leaf;
    static_assert(P::leaf_width == 15 && P::internode_width == 15 && P::concurrent && P::prefetch, "");
    static_assert(P::debug_level == 0 && P::print_max_indent_depth == 12, "");
};
} // namespace

TEST(names_of_types)
{
    typedef all_of_it A;
    CHECK((same<A::table::parameters_type, A::P>() && same<A::table::param_type, A::P>()));
    CHECK((same<A::table::value_type, uint64_t>() && same<A::table::threadinfo, threadinfo>()));
    CHECK((same<A::table::node_type, A::node>() && same<A::table::leaf_type, A::leaf>()));
    CHECK((same<A::table::internode_type, Masstree::internode<A::P>>()));
    CHECK((same<A::table::cursor_type, A::cursor>()));
    CHECK((same<A::table::unlocked_cursor_type, A::unlocked>()));
    CHECK((same<A::table::key_type, Masstree::key<A::P::ikey_type>>()));
    CHECK((same<A::cursor::nodeversion_value_type, A::P::nodeversion_value_type>()));
    CHECK((same<A::unlocked::nodeversion_type, nodeversion>()));
    CHECK((same<A::cursor::new_nodes_type::value_type,
        std::pair<A::leaf*, A::unlocked::nodeversion_value_type>>()));
    CHECK((std::is_base_of<A::node, A::leaf>::value));
    CHECK((std::is_base_of<A::node, Masstree::internode<A::P>>::value));
    CHECK((std::is_class<Masstree::value_print<uint64_t>>::value));
    CHECK((std::is_class<Masstree::scanstackelt<A::P>>::value));
}

TEST(names_of_tables_and_cursors)
{
    typedef all_of_it A;
    threadinfo& ti = some_thread();
    A::table table;
    table.initialize(ti);
    A::cursor lp(table, reinterpret_cast<const unsigned char*>("key"), 3);
    CHECK(!lp.find_insert(ti));
    CHECK(lp.node_timestamp() == 0);
    lp.value() = 1;
    CHECK(lp.next_full_version_value(1) != lp.previous_full_version_value());
    CHECK(lp.original_node() == lp.node());
    CHECK(lp.original_version_value() != lp.updated_version_value());
    CHECK(lp.new_nodes().empty());
    lp.finish(1, ti);
    A::cursor second(table, "key");
    CHECK(second.find_locked(ti));
    second.finish(0, ti);
    uint64_t value = 0;
    CHECK(table.get("key", value, ti) && value == 1);

    A::unlocked unlocked(table, reinterpret_cast<const unsigned char*>("key"), 3);
    CHECK(unlocked.find_unlocked(ti) && unlocked.value() == 1);
    CHECK(unlocked.permutation().size() == 1);
    const A::leaf* leaf = unlocked.node();
    CHECK(leaf->isleaf() && leaf->full_version_value() == unlocked.full_version_value());
    CHECK(leaf->full_unlocked_version_value() == leaf->version_value());
    CHECK(leaf->unlocked_version_value() == leaf->version_value());
    CHECK(leaf->ikey0_[leaf->permutation()[leaf->permutation().size() - 1]] == UINT64_MAX);

    struct {
        int seen;
        void visit_leaf(const Masstree::scanstackelt<A::P>& stack, const A::table::key_type&,
            threadinfo&)
        {
            seen += stack.node()->full_version_value() == stack.full_version_value();
        }
        bool visit_value(Masstree::Str, uint64_t& number, threadinfo&)
        {
            seen += static_cast<int>(number);
            return true;
        }
    } scanner = {0};
    CHECK(table.scan("key", true, scanner, ti) == 1 && table.rscan("key", false, scanner, ti) == 0);
    CHECK(scanner.seen == 3);
    CHECK(table.c_tree() != nullptr && table.c_tree() != masstree_beta::sections());
    CHECK(Masstree::json_stats(table, &ti).unparse().length() > 0);
    FILE* nowhere = fopen("/dev/null", "w");
    table.print(nowhere);
    char end[] = "";
    Masstree::value_print<uint64_t>::print(1, nowhere, "", 0, "key", 0, end);
    fclose(nowhere);
    table.destroy(ti);
}

TEST(names_of_keys)
{
    const Masstree::key<uint64_t> key("longer than eight", 17);
    CHECK(key.ikey() == string_slice<uint64_t>::make_comparable("longer t", 8));
    CHECK(key.full_string() == "longer than eight" && key.length() == 17 && !key.empty());
    CHECK(key.prefix_length() == 0 && key.prefix_string().empty());
    CHECK(key.has_suffix() && key.suffix() == "han eight" && key.suffix_length() == 9);
    CHECK(key.compare(Masstree::key<uint64_t>("m", 1)) < 0);
    char text[20];
    CHECK(key.unparse(text, 20) == 17 && key.unparse(text, 5) == 5);
    CHECK(Masstree::Str(key) == key.full_string() && Masstree::key<uint64_t>::ikey_size == 8);
}
