// Sections, and what is freed when they end. No epoch is ever advanced here.
#include "check.hh"
#include "store.hh"

#include <atomic>
#include <memory>
#include <thread>

namespace {

typedef store<uint64_t> numbers;

std::atomic<int> done(0);
threadinfo* ran_with = nullptr;

struct counted_callback : public mrcu_callback {
    ~counted_callback() override
    {
    }
    void operator()(threadinfo& ti) override
    {
        ran_with = &ti;
        ++done;
        delete this;
    }
};

/** A callback that frees itself as it was allocated, and registers another. */
struct chained_callback : public threadinfo::mrcu_callback {
    int more;
    explicit chained_callback(int left) : more(left)
    {
    }
    void operator()(threadinfo& ti) override
    {
        ++done;
        if (more > 0)
            make(more - 1, ti);
        this->chained_callback::~chained_callback();
        ti.deallocate(this, sizeof(*this), memtag_value);
    }
    static void make(int left, threadinfo& ti)
    {
        void* place = ti.allocate(sizeof(chained_callback), memtag_value);
        ti.rcu_register(new (place) chained_callback(left));
    }
};

threadinfo* main_thread()
{
    if (numbers::ti == nullptr)
        numbers::ti = threadinfo::make(threadinfo::TI_MAIN, -1);
    return numbers::ti;
}

/** Terminates: registered callbacks run as long as sections continue. */
void quiesce_until(int wanted, threadinfo* ti)
{
    while (done.load() != wanted)
        ti->rcu_quiesce();
}

} // namespace

TEST(a_callback_is_called_once_by_the_thread_that_registered_it)
{
    threadinfo* ti = main_thread();
    done = 0;
    ti->rcu_start();
    for (int i = 0; i != 1000; ++i)
        ti->rcu_register(new counted_callback);
    quiesce_until(1000, ti);
    ti->rcu_stop();
    CHECK(ran_with == ti);
    for (int i = 0; i != 100; ++i)
        ti->rcu_quiesce();
    ti->rcu_stop();
    CHECK(done.load() == 1000);
}

TEST(a_callback_may_register_another)
{
    threadinfo* ti = main_thread();
    done = 0;
    chained_callback::make(9, *ti);
    quiesce_until(10, ti);
    ti->rcu_stop();
}

TEST(a_callback_waits_for_the_sections_of_others)
{
    threadinfo* ti = main_thread();
    done = 0;
    std::atomic<int> stage(0);
    std::thread other([&stage] {
        threadinfo* own = threadinfo::make(threadinfo::TI_PROCESS, 1);
        own->rcu_start();
        stage = 1;
        while (stage.load() != 2)
            std::this_thread::yield();
        own->rcu_stop();
    });
    while (stage.load() != 1)
        std::this_thread::yield();
    CHECK(threadinfo::min_active_epoch() == 0);
    ti->rcu_register(new counted_callback);
    for (int i = 0; i != 20000; ++i)
        ti->rcu_quiesce();
    CHECK(done.load() == 0);
    stage = 2;
    quiesce_until(1, ti);
    other.join();
    ti->rcu_stop();
    CHECK(threadinfo::min_active_epoch() > 1u << 30);
}

TEST(a_thread_that_ends_in_its_section_leaves_it)
{
    threadinfo* ti = main_thread();
    done = 0;
    std::thread([] {
        threadinfo* own = threadinfo::make(threadinfo::TI_PROCESS, 1);
        own->rcu_quiesce();
        own->deallocate_rcu(own->allocate(1, memtag_value), 1, memtag_value);
    }).join();
    ti->rcu_register(new counted_callback);
    quiesce_until(1, ti);
    ti->rcu_stop();
}

TEST(threadinfos_are_listed)
{
    threadinfo* log = threadinfo::make(threadinfo::TI_LOG, 7);
    log->pthread() = pthread_self();
    CHECK(threadinfo::allthreads == log);
    bool found = false;
    for (threadinfo* ti = threadinfo::allthreads; ti; ti = ti->next()) {
        prefetch(ti->next());
        found = found || (ti->purpose() == threadinfo::TI_LOG && ti->index() == 7);
        CHECK(ti->counter(tc_leaf_lock) == 0);
    }
    CHECK(found);
}

namespace {

/** Writes in a section, to one of several tables after the other, all of this thread's. */
void write_to_several(int thread, int sections)
{
    numbers::thread_init(thread);
    threadinfo& ti = *numbers::ti;
    random_numbers random(seed() + static_cast<uint64_t>(thread));
    std::vector<std::unique_ptr<numbers>> tables(3);
    for (int i = 0; i != sections; ++i) {
        ti.rcu_start();
        std::unique_ptr<numbers>& table = tables[static_cast<size_t>(random.below(3))];
        if (table == nullptr)
            table.reset(new numbers);
        for (int k = random.below(4); k > 0; --k)
            table->put("key", 3, static_cast<uint64_t>(i));
        uint64_t value;
        table->get("key", value);
        if (random.below(4) == 0)
            table.reset();
        if (random.below(2) == 0)
            ti.rcu_stop();
    }
    tables.clear();
    ti.rcu_stop();
}

} // namespace

TEST(tables_are_destroyed_while_others_are_in_sections)
{
    std::vector<std::thread> threads;
    for (int thread = 1; thread != 4; ++thread)
        threads.push_back(
            std::thread([thread] { write_to_several(thread, shortened(5000)); }));
    for (size_t i = 0; i != threads.size(); ++i)
        threads[i].join();
}

TEST(a_table_is_destroyed_by_another_thread_than_wrote_to_it_in_its_section)
{
    threadinfo* ti = main_thread();
    numbers other;
    std::unique_ptr<numbers> table(new numbers);
    ti->rcu_start();
    table->insert("key", 1);
    std::thread([&table] {
        numbers::thread_init(1);
        table.reset();
    }).join();
    other.insert("key", 1);
    ti->rcu_quiesce();
    other.insert("more", 1);
    ti->rcu_stop();
}

TEST(a_table_is_destroyed_while_its_last_writer_continues)
{
    threadinfo* ti = main_thread();
    numbers other;
    std::atomic<numbers*> handed(nullptr);
    std::atomic<bool> over(false);
    std::thread destroyer([&] {
        numbers::thread_init(1);
        while (!over.load() || handed.load() != nullptr) {
            delete handed.exchange(nullptr);
            std::this_thread::yield();
        }
    });
    for (int i = 0; i != shortened(1000); ++i) {
        ti->rcu_start();
        numbers* table = new numbers;
        table->insert("key", 1);
        while (handed.load() != nullptr)
            std::this_thread::yield();
        handed = table;
        if (i % 2 == 0)
            other.put("key", 3, 1);
        if (i % 3 == 0)
            ti->rcu_stop();
    }
    ti->rcu_stop();
    over = true;
    destroyer.join();
}

TEST(a_section_may_end_before_the_cursor)
{
    threadinfo* ti = main_thread();
    numbers tried;
    for (int i = 0; i != 2; ++i) {
        ti->rcu_start();
        numbers::cursor_type lp(tried.table(), "key");
        lp.find_insert(*ti);
        lp.value() = 1;
        if (i == 0)
            ti->rcu_quiesce();
        else
            ti->rcu_stop();
        lp.finish(1, *ti);
    }
    masstree_stats_t stats = MASSTREE_STATS_INIT;
    CHECK(masstree_stats(tried.table().c_tree(), nullptr, &stats) == MASSTREE_OK);
    CHECK(stats.guards == 0);
    ti->rcu_start();
    CHECK(tried.update("key", 2) && tried.update("key", 3));
    CHECK(masstree_stats(tried.table().c_tree(), nullptr, &stats) == MASSTREE_OK);
    CHECK(stats.guards == 1);
    ti->rcu_stop();
}

namespace {

/** A value that other threads may still read after it was replaced. */
struct row {
    uint64_t number;
    uint64_t again;
};

void write_rows(store<row*>& rows, int steps, uint64_t start)
{
    random_numbers random(start);
    store<row*>::thread_init(2);
    threadinfo& ti = *store<row*>::ti;
    for (int i = 0; i != steps; ++i) {
        ti.rcu_start();
        row* fresh = static_cast<row*>(ti.allocate(sizeof(row), memtag_value));
        fresh->number = fresh->again = random.next();
        const std::string key = std::to_string(random.below(10));
        store<row*>::cursor_type lp(rows.table(), key);
        const bool found = lp.find_insert(ti);
        row* old = lp.value();
        const bool remove = found && random.below(4) == 0;
        lp.value() = fresh;
        lp.finish(remove ? -1 : 1, ti);
        if (found)
            ti.deallocate_rcu(old, sizeof(row), memtag_value);
        if (remove)
            ti.deallocate(fresh, sizeof(row), memtag_value);
        ti.rcu_stop();
    }
}

void read_rows(store<row*>& rows, const std::atomic<bool>& over)
{
    store<row*>::thread_init(3);
    threadinfo& ti = *store<row*>::ti;
    random_numbers random(3);
    while (!over.load()) {
        ti.rcu_quiesce();
        for (int i = 0; i != 20; ++i) {
            row* found = nullptr;
            if (rows.get(std::to_string(random.below(10)), found))
                CHECK(found->number == found->again);
        }
    }
    ti.rcu_stop();
}

} // namespace

TEST(memory_found_in_a_section_is_not_freed_during_it)
{
    store<row*> rows;
    std::atomic<bool> over(false);
    std::thread reader([&] { read_rows(rows, over); });
    {
        struct at_the_end {
            std::atomic<bool>& flag;
            ~at_the_end()
            {
                flag = true;
            }
        } end = {over};
        std::thread writer([&] { write_rows(rows, shortened(40000), seed()); });
        write_rows(rows, shortened(40000), seed() + 1);
        writer.join();
    }
    reader.join();
    store<row*>::pairs left = rows.scan("", true, SIZE_MAX);
    for (size_t i = 0; i != left.size(); ++i)
        free(left[i].second);
}
