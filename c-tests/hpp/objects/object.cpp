// A shared object that uses libmasstree on its own.
#include "object.hpp"

extern "C" [[gnu::visibility("default")]] const object *the_object();

const object *the_object()
{
    static const here instance;
    return &instance;
}
