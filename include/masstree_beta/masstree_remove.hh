// Programs include this file for the classes in masstree_tcursor.hh.
#ifndef MASSTREE_BETA_MASSTREE_REMOVE_HH
#define MASSTREE_BETA_MASSTREE_REMOVE_HH

#include "circular_int.hh"
#include "masstree_tcursor.hh"

#endif
