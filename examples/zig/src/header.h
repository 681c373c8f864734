#include <masstree.h>
#include <masstree/store.h>
