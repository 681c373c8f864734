// Included by programs for what masstree_tcursor.hh has.
#ifndef MASSTREE_BETA_MASSTREE_GET_HH
#define MASSTREE_BETA_MASSTREE_GET_HH

#include "masstree_tcursor.hh"

#endif
