// Names of event counters, which are always 0 here, and of kinds of memory, which are ignored.
#ifndef MASSTREE_BETA_MTCOUNTERS_HH
#define MASSTREE_BETA_MTCOUNTERS_HH

#include "compiler.hh"

enum memtag {
    memtag_none = 0,
    memtag_value,
    memtag_limbo,
    memtag_masstree_leaf,
    memtag_masstree_internode,
    memtag_masstree_ksuffixes,
    memtag_masstree_gc,
    memtag_pool_mask = 0xFF
};

enum threadcounter {
    tc_alloc,
    tc_alloc_value,
    tc_alloc_other,
    tc_gc,
    tc_limbo_slots,
    tc_root_retry,
    tc_internode_retry,
    tc_leaf_retry,
    tc_leaf_walk,
    tc_stable_internode_insert,
    tc_stable_internode_split,
    tc_stable_leaf_insert,
    tc_stable_leaf_split,
    tc_internode_lock,
    tc_leaf_lock,
    tc_max
};

#endif
