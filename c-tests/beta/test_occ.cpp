// A small transaction engine like Silo's (Tu et al., SOSP 2013, section 4.6), as programs build it on
// masstree-beta: versions of leaves prove what a scan has read, and are compared again before a
// transaction commits.
//
// Each transaction counts all records and inserts some, numbered from that count on. If the
// histories are serializable, the numbers are 0, 1, 2, ... without a gap or a repetition.
#include "check.hh"
#include "store.hh"

#include <algorithm>
#include <thread>

namespace {

/** An inserted record becomes valid when its transaction has committed. */
struct record {
    std::atomic<bool> valid;
    uint64_t number;
};

typedef store<record*> records;
typedef records::leaf_type leaf;

class transaction {
public:
    explicit transaction(records& of) : records_(of), ti_(*records::ti), counted_(0), doomed_(false)
    {
        ti_.rcu_start();
    }
    ~transaction()
    {
        ti_.rcu_stop();
    }

    /** Counts all records, this transaction's included. */
    uint64_t count()
    {
        counted_ = 0;
        records_.table().scan("", true, *this, ti_);
        return counted_;
    }
    template <typename SS, typename K>
    void visit_leaf(const SS& stack, const K&, threadinfo&)
    {
        observe(stack.node(), stack.full_version_value());
    }
    bool visit_value(Masstree::Str, record* found, threadinfo&)
    {
        ++counted_;
        // Records that another transaction is inserting may or may not be visible.
        if (!found->valid.load(std::memory_order_acquire) && !own(found))
            doomed_ = true;
        return !doomed_;
    }

    void insert(const std::string& key, uint64_t number)
    {
        records::cursor_type lp(records_.table(), key);
        if (lp.find_insert(ti_)) {
            lp.finish(0, ti_);
            doomed_ = true;
            return;
        }
        record* fresh = new record;
        fresh->valid = false;
        fresh->number = number;
        lp.value() = fresh;
        fence();
        lp.finish(1, ti_);
        inserted_.push_back(std::make_pair(key, fresh));
        observe_own(lp);
    }

    /** Commits; if it returns false, nothing has changed. */
    bool commit()
    {
        fence();
        for (size_t i = 0; !doomed_ && i != leaves_.size(); ++i)
            doomed_ = leaves_[i].first->full_version_value() != leaves_[i].second;
        for (size_t i = 0; i != inserted_.size(); ++i)
            if (doomed_)
                remove(inserted_[i].first);
            else
                inserted_[i].second->valid.store(true, std::memory_order_release);
        return !doomed_;
    }

private:
    typedef std::vector<std::pair<const leaf*, uint64_t>> leaf_set;

    leaf_set::iterator seen(const leaf* node)
    {
        leaf_set::iterator i = leaves_.begin();
        while (i != leaves_.end() && i->first != node)
            ++i;
        return i;
    }
    void observe(const leaf* node, uint64_t version)
    {
        const leaf_set::iterator before = seen(node);
        if (before == leaves_.end())
            leaves_.push_back(std::make_pair(node, version));
        else if (before->second != version)
            doomed_ = true;
    }
    /** Own inserts change leaves, but must not abort the transaction. */
    void observe_own(records::cursor_type& lp)
    {
        const leaf_set::iterator before = seen(lp.original_node());
        if (before == leaves_.end())
            return;
        if (before->second != lp.original_version_value())
            doomed_ = true;
        before->second = lp.updated_version_value();
        for (auto&& pair : lp.new_nodes())
            observe(pair.first, pair.second);
    }
    bool own(const record* found) const
    {
        for (size_t i = 0; i != inserted_.size(); ++i)
            if (inserted_[i].second == found)
                return true;
        return false;
    }
    struct free_record : public threadinfo::mrcu_callback {
        record* freed;
        explicit free_record(record* which) : freed(which)
        {
        }
        void operator()(threadinfo&) override
        {
            delete freed;
            delete this;
        }
    };
    void remove(const std::string& key)
    {
        records::cursor_type lp(records_.table(), key);
        always_assert(lp.find_locked(ti_), "an insert can be undone");
        ti_.rcu_register(new free_record(lp.value()));
        lp.finish(-1, ti_);
    }

    records& records_;
    threadinfo& ti_;
    uint64_t counted_;
    bool doomed_;
    leaf_set leaves_;
    std::vector<std::pair<std::string, record*>> inserted_;
};

/** Most in one layer, some in layers below. */
std::string random_record_key(random_numbers& random)
{
    std::string key = std::to_string(random.next() % 100000);
    if (random.below(4) == 0)
        key = "layer " + std::to_string(random.below(3)) + " of many records " + key;
    return key;
}

/** Returns how many transactions aborted. */
int work(records& into, int thread, int transactions)
{
    records::thread_init(thread);
    random_numbers random(seed() + static_cast<uint64_t>(thread) * 1000);
    int aborted = 0;
    for (int i = 0; i != transactions;) {
        transaction one(into);
        const uint64_t number = one.count();
        const int inserts = 1 + random.below(3);
        for (int k = 0; k != inserts; ++k)
            one.insert(random_record_key(random), number + static_cast<uint64_t>(k));
        if (one.commit())
            ++i;
        else
            ++aborted;
    }
    return aborted;
}

/** Frees the records, too. */
void numbers_are_consecutive(records& of)
{
    const records::pairs all = of.scan("", true, SIZE_MAX);
    std::vector<uint64_t> found;
    for (size_t i = 0; i != all.size(); ++i) {
        CHECK(all[i].second->valid);
        found.push_back(all[i].second->number);
        delete all[i].second;
    }
    std::sort(found.begin(), found.end());
    for (size_t i = 0; i != found.size(); ++i)
        CHECK(found[i] == i);
}

} // namespace

TEST(own_inserts_abort_no_transaction)
{
    records alone;
    // Keys that exist already do, too: another transaction draws them again.
    random_numbers random(seed());
    int doomed = 0;
    for (int i = 0; i != shortened(400); ++i) {
        transaction one(alone);
        const uint64_t number = one.count();
        uint64_t more = 0;
        for (int k = 0; k != 20; ++k) {
            const std::string key = random_record_key(random);
            record* there;
            if (!alone.get(key, there))
                one.insert(key, number + more++);
        }
        CHECK(one.count() == number + more);
        doomed += !one.commit();
    }
    CHECK(doomed == 0);
    numbers_are_consecutive(alone);
}

TEST(counting_and_inserting_transactions_are_serializable)
{
    records shared;
    const int transactions = shortened(400);
    std::atomic<int> aborted(0);
    std::vector<std::thread> threads;
    for (int thread = 1; thread != 4; ++thread)
        threads.push_back(std::thread([&shared, &aborted, thread, transactions] {
            aborted += work(shared, thread, transactions);
        }));
    for (size_t i = 0; i != threads.size(); ++i)
        threads[i].join();
    printf("%d transactions, %d aborted\n", 3 * transactions, aborted.load());
    numbers_are_consecutive(shared);
    for (int i = 0; i != 100; ++i)
        records::ti->rcu_quiesce();
    records::ti->rcu_stop();
}
