// Code that must not compile, or must abort the program, each with a message, which is given before
// it: refused.sh compiles this with CASE defined, or runs it with its number, and compares.
#include "store.hh"

volatile mrcu_epoch_type globalepoch = 1;
volatile mrcu_epoch_type active_epoch = 1;
volatile bool recovering = false;

typedef store<uint64_t> numbers;

// compile: value_type must not be larger than 8 bytes
#if CASE == 1
struct large {
    uint64_t words[2];
};
store<large> refused;
// compile: value_type must be trivially copyable
#elif CASE == 2
struct copied {
    copied(const copied&);
    char byte;
};
struct params : public Masstree::nodeparams<15, 15> {
    typedef copied value_type;
    typedef threadinfo threadinfo_type;
};
Masstree::basic_table<params> refused;
// compile: nodes have no inside here
#elif CASE == 3
void refused(numbers& of)
{
    of.table().root();
}
// compile: nodes have no inside here
#elif CASE == 4
int refused(numbers::leaf_type* of)
{
    return of->permutation().size();
}
// compile: nodes have no inside here
#elif CASE == 5
void refused(numbers::leaf_type* of)
{
    of->size();
}
// compile: nodes have no inside here
#elif CASE == 6
void refused(numbers::node_type* of)
{
    of->stable();
}
// compile: nodes have no inside here
#elif CASE == 7
void refused(numbers::node_type* of)
{
    of->has_changed(of->full_version_value());
}
// compile: nodes have no inside here
#elif CASE == 8
void refused(numbers::unlocked_cursor_type& of)
{
    of.permutation()[0];
}
// compile: nodes have no inside here
#elif CASE == 9
void refused(const Masstree::scanstackelt<numbers::params>& of)
{
    of.permutation()[0];
}
// compile: nodes have no inside here
#elif CASE == 10
uint64_t refused(numbers::leaf_type* of)
{
    return of->ikey0_[0];
}
#endif

/** Executes the case with the number in its argument. Long: a case after the other. */
int main(int argc, char** argv)
{
    numbers tried;
    threadinfo& ti = *numbers::ti;
    numbers::cursor_type lp(tried.table(), "key");
    numbers::cursor_type other(tried.table(), "other");
    numbers::table_type none;
    uint64_t value = 0;
    switch (argc == 1 ? 0 : atoi(argv[1])) {
    // run: basic_table: is used before initialize, or after destroy
    case 11:
        none.get("key", value, ti);
        break;
    // run: basic_table: is used before initialize, or after destroy
    case 12: {
        none.initialize(ti);
        none.destroy(ti);
        numbers::cursor_type late(none, "key");
        late.find_locked(ti);
        break;
    }
    // run: tcursor::finish: nothing was found, or it was finished before
    case 13:
        lp.finish(0, ti);
        break;
    // run: tcursor::finish: nothing was found, or it was finished before
    case 14:
        lp.find_insert(ti);
        lp.finish(1, ti);
        lp.finish(1, ti);
        break;
    // run: tcursor::finish: inserts after find_locked: use find_insert
    case 15:
        lp.find_locked(ti);
        lp.finish(1, ti);
        break;
    // run: tcursor::find_insert: the cursor was used before
    case 16:
        lp.find_insert(ti);
        lp.find_insert(ti);
        break;
    // run: tcursor::find_locked: the thread has another cursor that is not finished
    case 17:
        lp.find_insert(ti);
        other.find_locked(ti);
        break;
    // run: key: its length is negative
    case 18:
        tried.table().get(Masstree::Str("key", -1), value, ti);
        break;
    // run: assertion failed: value == 1, "for a reason"
    case 19:
        always_assert(value == 1, "for a reason");
        break;
    // run: key: is NULL, and has a length
    case 20:
        tried.insert(Masstree::Str(static_cast<const char*>(nullptr), 1), 1);
        break;
    default:
        break;
    }
    return 0;
}
