// The printer of values in masstree-beta. Tables here print words: see basic_table::print.
#ifndef MASSTREE_BETA_MASSTREE_PRINT_HH
#define MASSTREE_BETA_MASSTREE_PRINT_HH

#include "masstree_struct.hh"

namespace Masstree {

/** Prints a value as the hexadecimal word that the tree stores. */
template <typename T>
class value_print {
public:
    static void print(T value, FILE* f, const char* prefix, int indent, Str key, kvtimestamp_t,
        char* suffix)
    {
        uint64_t bits = 0;
        const size_t size = sizeof(T);
        memcpy(&bits, &value, size);
        fprintf(f, "%s%*s%.*s = 0x%" PRIx64 "%s\n", prefix, indent, "", key.len, key.s, bits, suffix);
    }
};

} // namespace Masstree

#endif
