// Errors by std::error_code and by exception; exceptions of callbacks.
#include "support.hpp"

namespace {

using masstree::errc;

TEST(error_code, is_set_by_errors_and_cleared_by_success)
{
    masstree::tree<int> tree, other;
    std::error_code code;
    auto guard = tree.enter(code);
    ASSERT_FALSE(code);
    auto wrong = other.enter();

    tree.put("a", 1, {wrong, code});
    EXPECT_EQ(code, errc::wrong_tree);
    EXPECT_EQ(tree.get("a", {guard, code}), std::nullopt);
    EXPECT_FALSE(code);
    tree.put("a", 1, code);
    EXPECT_EQ(tree.get("a", {wrong, code}), std::nullopt);
    EXPECT_EQ(code, errc::wrong_tree);
    EXPECT_EQ(tree.get("a", code), 1);
    EXPECT_FALSE(code);
}

TEST(error_code, has_a_category_of_its_own)
{
    const std::error_code code = errc::no_memory;
    EXPECT_STREQ(code.category().name(), "masstree");
    EXPECT_EQ(&code.category(), &masstree::category());
    EXPECT_EQ(code.message(), masstree_strerror(MASSTREE_NOMEM));
    EXPECT_EQ(code, std::errc::not_enough_memory);
    EXPECT_EQ(make_error_code(errc::invalid), std::errc::invalid_argument);
    EXPECT_EQ(make_error_code(errc::key_too_long), std::errc::value_too_large);
    EXPECT_EQ(make_error_code(errc::too_small), std::errc::no_buffer_space);
    EXPECT_NE(make_error_code(errc::corrupt), std::errc::not_enough_memory);
}

TEST(error_code, of_a_tree_that_was_moved_from)
{
    masstree::tree<int> tree;
    const auto moved = std::move(tree);
    std::error_code code;
    std::size_t errors = 0;
    const auto expect_invalid = [&] {
        EXPECT_EQ(code, errc::invalid) << errors;
        code.clear();
        ++errors;
    };
    const std::vector<std::string> keys{"a"};
    tree.put("a", 1, code), expect_invalid();
    EXPECT_FALSE(tree.insert("a", 1, code)), expect_invalid();
    EXPECT_FALSE(tree.get_or_insert("a", 1, code)), expect_invalid();
    EXPECT_FALSE(tree.get_or_insert_with("a", [] { return 1; }, code)), expect_invalid();
    EXPECT_FALSE(tree.compare_exchange("a", 1, 2, code)), expect_invalid();
    EXPECT_FALSE(tree.remove_if_equal("a", 1, code)), expect_invalid();
    tree.update("a", [](std::optional<int>) { return 1; }, code), expect_invalid();
    EXPECT_FALSE(tree.take("a", code)), expect_invalid();
    EXPECT_FALSE(tree.remove("a", code)), expect_invalid();
    EXPECT_EQ(tree.scan({}, [](std::string_view, int) {}, code), 0u), expect_invalid();
    EXPECT_EQ(tree.count({}, code), 0u), expect_invalid();
    EXPECT_FALSE(tree.enter(code)), expect_invalid();
    EXPECT_FALSE(tree.cursor(code)), expect_invalid();
    for (auto [key, value] : tree.items({}, code))
        ADD_FAILURE() << key << value;
    expect_invalid();
    EXPECT_FALSE(tree.get_many(keys, code)[0]), expect_invalid();
    EXPECT_EQ(tree.put_many(keys, std::vector<int>{1}, code), 0u), expect_invalid();
    EXPECT_EQ(tree.size(code), 0u), expect_invalid();
    EXPECT_EQ(tree.stats_json(false, code), ""), expect_invalid();
    EXPECT_TRUE(tree.pivots(1, code).empty()), expect_invalid();
    EXPECT_EQ(tree.estimate({}, 1, code).keys, 0u), expect_invalid();
    tree.clear(code), expect_invalid();
    tree.flush(code), expect_invalid();
    tree.barrier(code), expect_invalid();
    EXPECT_FALSE(tree.maintain(1, code).finished), expect_invalid();
    EXPECT_FALSE(tree.compact(1, 0, code).finished), expect_invalid();
    EXPECT_FALSE(tree.check([](std::string_view) {}, code)), expect_invalid();
    auto object = std::make_unique<int>(1);
    tree.retire(std::move(object), code), expect_invalid();
    EXPECT_NE(object, nullptr);
}

TEST(error_code, of_views_with_bounds_the_wrong_way_round)
{
    masstree::tree<int> tree;
    tree.put("b", 1);
    const auto crossed = masstree::range<>{}.from("c").through("a");
    std::error_code code;
    for (auto [key, value] : tree.items(crossed, code))
        ADD_FAILURE() << key << value;
    EXPECT_EQ(code, errc::invalid);
    EXPECT_EQ(tree.scan(crossed, [](std::string_view, int) {}, code), 0u);
    EXPECT_EQ(code, errc::invalid);
}

TEST(error_code, tree_that_could_not_be_created_is_empty)
{
    class nothing : public masstree::memory_resource {
        void *do_allocate(std::size_t, std::size_t) override
        {
#if MASSTREE_HAS_EXCEPTIONS
            throw std::bad_alloc();
#else
            return nullptr;
#endif
        }
        void do_deallocate(void *, std::size_t, std::size_t) override {}
        bool do_is_equal(const memory_resource &) const noexcept override { return false; }
    } memory;
    masstree::options options;
    options.memory = &memory;
    std::error_code code;
    masstree::bytes_tree tree(options, code);
    EXPECT_EQ(code, errc::no_memory);
    EXPECT_FALSE(tree);
    tree.put("a", "b", code);
    EXPECT_EQ(code, errc::invalid);
}

#if MASSTREE_HAS_EXCEPTIONS

TEST(exceptions, carry_the_error)
{
    masstree::tree<int> tree, other;
    auto wrong = other.enter();
    try {
        tree.put("a", 1, wrong);
        FAIL();
    } catch (const masstree::error &e) {
        EXPECT_EQ(e.code(), errc::wrong_tree);
        EXPECT_NE(std::string(e.what()).find("another tree"), std::string::npos) << e.what();
    }
    EXPECT_THROW((void)tree.get("a", wrong), std::system_error);
    EXPECT_THROW((void)tree.cursor(wrong), masstree::error);
    const auto crossed = masstree::range<>{}.from("c").through("a");
    EXPECT_THROW((void)tree.items(crossed).begin(), masstree::error);
    EXPECT_THROW((void)tree.count(crossed), masstree::error);
}

struct thrown {
    int number;
};

/** Expects that `run(callback)` throws what the callback throws, and that the tree stays usable. */
template <class Tree, class F> void expect_carried(const Tree &tree, F &&run)
{
    try {
        run();
        ADD_FAILURE() << "nothing was thrown";
    } catch (const thrown &e) {
        EXPECT_EQ(e.number, 7);
    }
    EXPECT_TRUE(tree.check());
}

TEST(exceptions, of_visitors_come_out_of_scans)
{
    masstree::tree<int> tree;
    for (int i = 0; i < 100; ++i)
        tree.put(std::to_string(i), i);
    std::error_code code;
    int visits = 0;
    expect_carried(tree, [&] {
        tree.scan(
            {},
            [&](std::string_view, int) {
                if (++visits == 50)
                    throw thrown{7};
            },
            code);
    });
    EXPECT_EQ(visits, 50);
    expect_carried(tree, [&] { tree.scan_keys({}, [](std::string_view) { throw thrown{7}; }); });
    expect_carried(tree, [&] { tree.scan_values({}, [](int) { throw thrown{7}; }); });
    int writes = 0;
    const auto write = [&](std::string_view) {
        ++writes;
        throw thrown{7};
    };
    expect_carried(tree, [&] { tree.dump(masstree::dump_format::text, write); });
    EXPECT_EQ(writes, 1);

    masstree::bytes_tree bytes;
    bytes.put("a", "b");
    expect_carried(bytes, [&] {
        bytes.scan({}, [](std::string_view, std::string_view) { throw thrown{7}; });
    });
    expect_carried(bytes, [&] {
        bytes.scan_values({}, [](std::string_view) { throw thrown{7}; });
    });
}

TEST(exceptions, of_updates_change_nothing_and_leave_no_lock)
{
    masstree::tree<int> tree;
    tree.put("a", 1);
    for (const char *key : {"a", "b"}) {
        expect_carried(tree, [&] {
            tree.update(key, [](std::optional<int>) -> int { throw thrown{7}; });
        });
    }
    expect_carried(tree, [&] {
        (void)tree.get_or_insert_with("b", []() -> int { throw thrown{7}; });
    });
    EXPECT_EQ(test::shown(tree.items()), "a=1,");
    // The leaf is not locked.
    tree.put("a", 2);
    tree.update("b", [](std::optional<int>) { return 3; });
    EXPECT_EQ(test::shown(tree.items()), "a=2,b=3,");
}

TEST(exceptions, of_a_scan_let_go_of_its_guard)
{
    test::counted::alive = 0;
    masstree::tree<test::owner> tree;
    tree.put("a", std::make_unique<test::counted>(1));
    expect_carried(tree, [&] {
        tree.scan({}, [](std::string_view, test::counted *) { throw thrown{7}; });
    });
    tree.remove("a");
    tree.flush();
    tree.barrier();
    EXPECT_EQ(test::counted::alive, 0);
    EXPECT_EQ(tree.stats().guards, 0u);
}

#else

TEST(without_exceptions, an_error_ends_the_program)
{
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    masstree::tree<int> tree;
    const auto moved = std::move(tree);
    EXPECT_DEATH(tree.put("a", 1), "libmasstree: MASSTREE_INVALID: ");
}

#endif

} // namespace
