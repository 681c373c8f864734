/*
 * inventory: two threads add and remove goods in one tree; then it is queried.
 *
 * CMake builds it as `inventory`; manually, in the top directory:
 *
 *     cargo rustc --release --lib --crate-type cdylib,staticlib
 *     g++ -std=c++17 -O2 -I include examples/cpp/inventory.cpp target/release/libmasstree.a \
 *         -pthread -o inventory
 */
#include <masstree.hpp>

#include <iostream>
#include <thread>

using stock = masstree::tree<std::int64_t>;

// Removes goods whose number reaches zero. No other thread sees an intermediate number.
static void book(stock &tree, const std::string &goods, std::int64_t number)
{
    tree.update(goods, [&](std::optional<std::int64_t> present) -> masstree::change<std::int64_t> {
        const std::int64_t sum = present.value_or(0) + number;
        if (sum == 0)
            return masstree::remove_key;
        return sum;
    });
}

static void book_all(stock &tree, std::int64_t number)
{
    for (int round = 0; round < 1000; ++round) {
        for (const char *goods : {"fruit/apple", "fruit/fig", "fruit/pear", "tool/saw"})
            book(tree, goods, number);
    }
}

int main()
{
    stock tree;
    std::thread other(book_all, std::ref(tree), 3);
    book_all(tree, -1);
    other.join();

    std::cout << "apples: " << tree.get("fruit/apple").value_or(0) << '\n';
    book(tree, "tool/saw", -2000);
    book(tree, "fruit/fig", 1);

    for (auto [goods, number] : tree.items(masstree::range<>{}.prefix("fruit/").reversed()))
        std::cout << goods << " = " << number << '\n';

    auto cursor = tree.cursor();
    if (cursor.seek("g"))
        std::cout << "after the fruit: " << *cursor.key() << '\n';
    else
        std::cout << "nothing after the fruit\n";
}
