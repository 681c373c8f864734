// A small test program, without a test library: it must compile as C++11.
#ifndef C_TESTS_BETA_CHECK_HH
#define C_TESTS_BETA_CHECK_HH

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#define CHECK(condition) \
    do { \
        if (!(condition)) \
            check_failed(__FILE__, __LINE__, #condition); \
    } while (0)

inline void check_failed(const char* file, int line, const char* condition)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}

struct test {
    const char* name;
    void (*run)();
};

inline std::vector<test>& all_tests()
{
    static std::vector<test> tests;
    return tests;
}

struct test_registration {
    test_registration(const char* name, void (*run)())
    {
        const test one = {name, run};
        all_tests().push_back(one);
    }
};

#define TEST(name) \
    static void name(); \
    static const test_registration name##_is_registered(#name, name); \
    static void name()

/** Random numbers that are the same for the same seed, on every machine. */
class random_numbers {
public:
    explicit random_numbers(uint64_t seed) : state_(seed * 2 + 1)
    {
    }
    uint64_t next()
    {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return state_ >> 33;
    }
    /** One of the numbers below a bound. */
    int below(int bound)
    {
        return static_cast<int>(next() % static_cast<uint64_t>(bound));
    }

private:
    uint64_t state_;
};

/** SEED of the environment, or 1; printed, so that a run can be repeated. */
inline uint64_t seed()
{
    static uint64_t number = 0;
    if (number == 0) {
        const char* given = getenv("MASSTREE_TEST_SEED");
        number = given == nullptr ? 1 : strtoull(given, nullptr, 10);
        printf("MASSTREE_TEST_SEED=%llu\n", static_cast<unsigned long long>(number));
    }
    return number;
}

/** The number of steps, reduced where a sanitizer makes each slow. */
inline int shortened(int steps)
{
    const char* divisor = getenv("MASSTREE_TEST_DIVISOR");
    const int by = divisor == nullptr ? 1 : atoi(divisor);
    return by > 1 ? steps / by + 1 : steps;
}

#endif
