#include <masstree.h>
