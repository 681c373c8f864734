/* The directory of a test, and the file operations of its stores: made before each test of a file, and
   removed after it. */
#ifndef MASSTREE_TEST_STORE_ONE_PLACE_H
#define MASSTREE_TEST_STORE_ONE_PLACE_H

#include "faults.h"

extern struct place place;
extern struct faults faults;

int make_place(void **state);
int end_place(void **state);
/* Opens the store in the directory. */
masstree_store_t *open_here(void);

#endif
