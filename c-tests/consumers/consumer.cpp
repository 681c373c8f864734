// A C++ program that uses an installed libmasstree.
#include <masstree.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

namespace {

struct Destroy {
    void operator()(masstree_t *tree) const { masstree_destroy(tree); }
};

std::int32_t print(const void *key, std::size_t key_len, std::uint64_t value, void *ctx)
{
    auto &out = *static_cast<std::ostream *>(ctx);
    out << ' ' << std::string(static_cast<const char *>(key), key_len) << '=' << value;
    return MASSTREE_VISIT_CONTINUE;
}

} // namespace

int main()
{
    masstree_t *made = nullptr;
    if (masstree_abi_version() != MASSTREE_ABI_VERSION ||
        masstree_create(nullptr, &made) != MASSTREE_OK)
        return EXIT_FAILURE;
    const std::unique_ptr<masstree_t, Destroy> tree(made);
    const auto put = [&tree](const std::string &key, std::uint64_t value) {
        if (masstree_put(tree.get(), nullptr, key.data(), key.size(), value) != MASSTREE_OK)
            std::abort();
    };
    std::thread other(put, "pear", 0);
    put("apple", 1);
    put("fig", 2);
    other.join();
    std::cout << "masstree " << masstree_version_string() << ':';
    masstree_scan(tree.get(), nullptr, nullptr, print, &std::cout, nullptr);
    std::cout << '\n';
}
