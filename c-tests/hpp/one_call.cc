// What one_call.sh looks at: each function of these is to be one call of the C interface, and
// another in case of an error, on a path of its own.
#include <masstree.hpp>

using words = masstree::tree<std::uint64_t>;
using integers = masstree::tree<std::int32_t, std::int64_t>;

std::optional<std::uint64_t> one_call_get(const words &, std::string_view, const masstree::guard &);
std::optional<std::int32_t> one_call_get_u64(const integers &, std::int64_t);
bool one_call_contains(const words &, std::string_view);
void one_call_put(words &, std::string_view, std::uint64_t, const masstree::guard &);
bool one_call_insert(words &, std::string_view, std::uint64_t);
bool one_call_remove_u64(integers &, std::int64_t);

std::optional<std::uint64_t> one_call_get(const words &tree, std::string_view key,
                                          const masstree::guard &guard)
{
    return tree.get(key, guard);
}

std::optional<std::int32_t> one_call_get_u64(const integers &tree, std::int64_t key)
{
    return tree.get(key);
}

bool one_call_contains(const words &tree, std::string_view key)
{
    return tree.contains(key);
}

void one_call_put(words &tree, std::string_view key, std::uint64_t value,
                  const masstree::guard &guard)
{
    tree.put(key, value, guard);
}

bool one_call_insert(words &tree, std::string_view key, std::uint64_t value)
{
    return tree.insert(key, value);
}

bool one_call_remove_u64(integers &tree, std::int64_t key)
{
    return tree.remove(key);
}
