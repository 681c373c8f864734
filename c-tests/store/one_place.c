#include "one_place.h"

struct place place;
struct faults faults;

int make_place(void **state)
{
    (void)state;
    place_make(&place);
    faults_start(&faults);
    return 0;
}

int end_place(void **state)
{
    (void)state;
    faults_end(&faults);
    place_remove(&place);
    return 0;
}

masstree_store_t *open_here(void)
{
    return open_store(place.path, &faults.options);
}
