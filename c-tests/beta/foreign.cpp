// A library with masstree-beta's names, and other meanings for all of them: a list. Beside ours.cpp
// it plays the role of masstree-beta in a program that contains both: two_libraries.sh.
#include <stdint.h>
#include <stdlib.h>

#include <map>
#include <string>

inline void fence()
{
    abort();
}

class threadinfo {
public:
    enum { TI_MAIN, TI_PROCESS };
    static threadinfo* make(int purpose, int index)
    {
        threadinfo* made = new threadinfo;
        made->numbers[0] = purpose;
        made->numbers[1] = index;
        return made;
    }
    int purpose() const
    {
        return static_cast<int>(numbers[0]);
    }
    int index() const
    {
        return static_cast<int>(numbers[1]);
    }
    void rcu_start()
    {
        numbers[2] += 1;
    }
    void rcu_stop()
    {
        numbers[2] += 1;
    }
    uint64_t numbers[3] = {0, 0, 0};
};

namespace lcdf {
struct Str {
    const char* s;
    long len;
    Str(const char* text) : s(text), len(static_cast<long>(std::string(text).size()))
    {
    }
};
} // namespace lcdf

namespace Masstree {
using lcdf::Str;

template <int LW, int IW>
struct nodeparams {
    typedef uint64_t ikey_type;
};

template <typename P>
class basic_table {
public:
    basic_table() : all_(nullptr), count_(0)
    {
    }
    void initialize(typename P::threadinfo_type& ti)
    {
        all_ = new std::map<std::string, uint64_t>;
        ti.rcu_start();
    }
    void destroy(typename P::threadinfo_type& ti)
    {
        delete all_;
        ti.rcu_stop();
    }
    bool get(Str key, uint64_t& value, typename P::threadinfo_type&) const
    {
        const auto found = all_->find(std::string(key.s, static_cast<size_t>(key.len)));
        if (found == all_->end())
            return false;
        value = found->second;
        return true;
    }
    std::map<std::string, uint64_t>* all_;
    uint64_t count_;
};

template <typename P>
class tcursor {
public:
    tcursor(basic_table<P>& table, Str key) : table_(table), key_(key), value_(0)
    {
    }
    bool find_insert(typename P::threadinfo_type&)
    {
        return table_.all_->count(key_.s) != 0;
    }
    uint64_t& value()
    {
        return value_;
    }
    void finish(int, typename P::threadinfo_type&)
    {
        (*table_.all_)[key_.s] = value_;
        table_.count_ += 1;
    }

private:
    basic_table<P>& table_;
    Str key_;
    uint64_t value_;
};
} // namespace Masstree

struct params : public Masstree::nodeparams<15, 15> {
    typedef uint64_t value_type;
    typedef threadinfo threadinfo_type;
};

uint64_t theirs();

/** The same text as ours() in ours.cpp, word for word. */
uint64_t theirs()
{
    threadinfo* ti = threadinfo::make(threadinfo::TI_PROCESS, 7);
    Masstree::basic_table<params> table;
    table.initialize(*ti);
    ti->rcu_start();
    uint64_t sum = static_cast<uint64_t>(ti->purpose() + ti->index());
    const char* const keys[] = {"one", "two", "three"};
    for (const char* key : keys) {
        Masstree::tcursor<params> lp(table, key);
        if (!lp.find_insert(*ti))
            lp.value() = 100;
        lp.finish(1, *ti);
    }
    for (const char* key : keys) {
        uint64_t value = 0;
        if (table.get(key, value, *ti))
            sum += value;
    }
    ti->rcu_stop();
    table.destroy(*ti);
    return sum;
}
