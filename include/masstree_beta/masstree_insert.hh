// Programs include this file for the classes in masstree_tcursor.hh.
#ifndef MASSTREE_BETA_MASSTREE_INSERT_HH
#define MASSTREE_BETA_MASSTREE_INSERT_HH

#include "masstree_tcursor.hh"

#endif
