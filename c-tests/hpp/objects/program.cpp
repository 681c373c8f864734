// Errors between shared objects that hide their symbols: compares codes, and throws and catches
// errors, between each two objects and this program.
// Put back: the comparisons in error.hpp left out, or "equivalent", or by address; `error` without
// its visibility, with libc++; the header without its pragmas.
//
// usage: program HOW OBJECT OBJECT     (HOW they are loaded: local or global)
#include "object.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace {

int failed = 0;

void expect(bool holds, const char *what, int from, int to)
{
    if (holds)
        return;
    std::fprintf(stderr, "from %d to %d: %s\n", from, to, what);
    failed = 1;
}

const object *load(const char *path, int how)
{
    void *handle = dlopen(path, RTLD_NOW | how);
    if (handle == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        std::exit(1);
    }
    void *symbol = dlsym(handle, "the_object");
    return reinterpret_cast<const object *(*)()>(symbol)();
}

/** Every error, and two other numbers. */
constexpr int least = -10, most = 0;

void compare(const object &one, const object &other, int from, int to)
{
    for (int status = least; status <= most; ++status) {
        const std::error_code code = one.code(status);
        for (int wanted = least; wanted <= most; ++wanted)
            expect(other.knows(code, wanted) == (status == wanted), "errc", from, to);
        expect(code == other.condition(status), "condition", from, to);
        expect(code != other.condition(status + 1), "another condition", from, to);
        expect(other.condition(status) == code, "condition, reversed", from, to);
    }
    expect(!other.knows(std::error_code(-1, std::generic_category()), -1), "generic", from, to);
    expect(one.code(MASSTREE_NOMEM) == std::errc::not_enough_memory, "std::errc", from, to);
    if (from != to)
        expect(&one.category() != &other.category(), "is no test: one instance", from, to);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    const here own;
    const int how = *argv[1] == 'g' ? RTLD_GLOBAL : RTLD_LOCAL;
    const object *objects[] = {&own, load(argv[2], how), load(argv[3], how)};
    // libc++ regards types of such isolated objects as different.
#if defined(_LIBCPP_VERSION)
    const bool catches = how == RTLD_GLOBAL;
#else
    const bool catches = true;
#endif
    for (int from = 0; from < 3; ++from) {
        for (int to = 0; to < 3; ++to) {
            compare(*objects[from], *objects[to], from, to);
            if (catches || from == to)
                expect(objects[to]->catches(*objects[from]), "catches", from, to);
        }
    }
    return failed;
}
