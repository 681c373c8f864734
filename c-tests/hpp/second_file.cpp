// A second file of the same program: the header may be included by several.
#include <masstree.hpp>

std::size_t count_in_second_file(const masstree::tree<int> &tree);

std::size_t count_in_second_file(const masstree::tree<int> &tree)
{
    return tree.count({});
}
