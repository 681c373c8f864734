// Shared by the tests of masstree.hpp.
#ifndef MASSTREE_HPP_TEST_SUPPORT
#define MASSTREE_HPP_TEST_SUPPORT

#include <gtest/gtest.h>

#include <masstree.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace test {

/** An object that is counted, and flagged when it is destroyed. */
struct counted {
    inline static std::atomic<int> alive{0};
    explicit counted(int given) : number(given) { ++alive; }
    counted(const counted &) = delete;
    counted &operator=(const counted &) = delete;
    ~counted()
    {
        number = -1;
        --alive;
    }
    int number;
};

using owner = std::unique_ptr<counted>;

/** Random numbers, reproducible with MASSTREE_TEST_SEED. */
inline std::mt19937_64 random_numbers()
{
    const char *given = std::getenv("MASSTREE_TEST_SEED");
    const std::uint64_t seed =
        given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::cout << "MASSTREE_TEST_SEED=" << seed << std::endl;
    return std::mt19937_64(seed);
}

/** The items of a view in range-for, as "key=value" with a comma after each. */
template <class View> std::string shown(View view)
{
    std::string text;
    for (auto [key, value] : view) {
        if constexpr (std::is_convertible_v<decltype(key), std::string_view>)
            text += std::string(key);
        else
            text += std::to_string(key);
        text += '=';
        if constexpr (std::is_convertible_v<decltype(value), std::string_view>)
            text += std::string(value);
        else
            text += std::to_string(value);
        text += ',';
    }
    return text;
}

} // namespace test

#endif
