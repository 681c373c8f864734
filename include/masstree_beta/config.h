/*
 * Settings that programs written for masstree-beta read. Nothing here needs configuring.
 */
#ifndef MASSTREE_BETA_CONFIG_H
#define MASSTREE_BETA_CONFIG_H

#ifndef CACHE_LINE_SIZE
#define CACHE_LINE_SIZE 64
#endif

/* A common size of buffers for keys; keys may be longer here. */
#ifndef MASSTREE_MAXKEYLEN
#define MASSTREE_MAXKEYLEN 255
#endif

#endif
