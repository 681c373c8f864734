// A program's index on top of masstree-beta's interface, for its own threads. This file does not
// use libmasstree directly.
#ifndef C_TESTS_BETA_STORE_HH
#define C_TESTS_BETA_STORE_HH

#include "config.h"
// config.h first, as masstree-beta requires.
#include "compiler.hh"
#include "kvthread.hh"
#include "masstree.hh"
#include "masstree_get.hh"
#include "masstree_insert.hh"
#include "masstree_print.hh"
#include "masstree_remove.hh"
#include "masstree_scan.hh"
#include "masstree_stats.hh"
#include "masstree_tcursor.hh"
#include "string.hh"

#include <string>
#include <utility>
#include <vector>

class number_printer {
public:
    static int unparse_key(Masstree::key<uint64_t> key, char* buf, int buflen)
    {
        return snprintf(buf, static_cast<size_t>(buflen), "%" PRIu64, key.ikey());
    }
};

template <typename V>
class store {
public:
    struct params : public Masstree::nodeparams<15, 15> {
        typedef V value_type;
        typedef Masstree::value_print<value_type> value_print_type;
        typedef threadinfo threadinfo_type;
        typedef number_printer key_unparse_type;
        static constexpr ssize_t print_max_indent_depth = 12;
    };
    typedef Masstree::Str Str;
    typedef Masstree::basic_table<params> table_type;
    typedef Masstree::tcursor<params> cursor_type;
    typedef Masstree::unlocked_tcursor<params> unlocked_cursor_type;
    typedef Masstree::leaf<params> leaf_type;
    typedef Masstree::internode<params> internode_type;
    typedef typename table_type::node_type node_type;
    typedef typename unlocked_cursor_type::nodeversion_value_type version_type;
    typedef std::vector<std::pair<std::string, V>> pairs;

    static __thread typename params::threadinfo_type* ti;

    store()
    {
        if (ti == nullptr)
            ti = threadinfo::make(threadinfo::TI_MAIN, -1);
        table_.initialize(*ti);
    }
    ~store()
    {
        table_.destroy(*ti);
    }
    store(const store&) = delete;
    store& operator=(const store&) = delete;

    static void thread_init(int id)
    {
        if (ti == nullptr) {
            ti = threadinfo::make(threadinfo::TI_PROCESS, id);
            ti->pthread() = pthread_self();
        }
    }

    bool insert(Str key, V value)
    {
        cursor_type lp(table_, key);
        if (lp.find_insert(*ti)) {
            lp.finish(0, *ti);
            return false;
        }
        lp.value() = value;
        fence();
        lp.finish(1, *ti);
        return true;
    }
    /** Returns whether the key is new. */
    bool put(const char* key, size_t length, V value)
    {
        cursor_type lp(table_, key, static_cast<int>(length));
        const bool found = lp.find_insert(*ti);
        lp.value() = value;
        fence();
        lp.finish(1, *ti);
        return !found;
    }
    bool update(Str key, V value)
    {
        cursor_type lp(table_, key);
        const bool found = lp.find_locked(*ti);
        if (found) {
            lp.value() = value;
            fence();
        }
        lp.finish(0, *ti);
        return found;
    }
    bool remove(Str key)
    {
        cursor_type lp(table_, key);
        const bool found = lp.find_locked(*ti);
        lp.finish(found ? -1 : 0, *ti);
        return found;
    }
    bool get(Str key, V& value) const
    {
        unlocked_cursor_type lp(table_, key.data(), key.length());
        const bool found = lp.find_unlocked(*ti);
        if (found)
            value = lp.value();
        return found;
    }

    pairs scan(Str first, bool match, size_t limit)
    {
        scanner found(limit);
        const int visited = table_.scan(first, match, found, *ti);
        always_assert(static_cast<size_t>(visited) == found.all.size(), "scan counts what it visits");
        return found.all;
    }
    pairs rscan(Str first, bool match, size_t limit)
    {
        scanner found(limit);
        table_.rscan(first, match, found, *ti);
        return found.all;
    }

    table_type& table()
    {
        return table_;
    }

private:
    struct scanner {
        explicit scanner(size_t most) : limit(most), leaves(0)
        {
        }
        template <typename SS, typename K>
        void visit_leaf(const SS& stack, const K&, threadinfo&)
        {
            if (stack.node() != nullptr)
                ++leaves;
        }
        bool visit_value(const Str key, V value, threadinfo&)
        {
            always_assert(leaves > 0, "a leaf is shown before its keys");
            all.push_back(std::make_pair(std::string(key.s, static_cast<size_t>(key.len)), value));
            return all.size() < limit;
        }
        size_t limit;
        size_t leaves;
        pairs all;
    };

    table_type table_;
};

template <typename V>
__thread typename store<V>::params::threadinfo_type* store<V>::ti = nullptr;

#endif
