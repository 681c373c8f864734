// Included by programs for what masstree_tcursor.hh has.
#ifndef MASSTREE_BETA_MASSTREE_REMOVE_HH
#define MASSTREE_BETA_MASSTREE_REMOVE_HH

#include "circular_int.hh"
#include "masstree_tcursor.hh"

#endif
