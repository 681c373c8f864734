// Timestamps and epochs: numbers whose meaning the program defines.
#ifndef MASSTREE_BETA_TIMESTAMP_HH
#define MASSTREE_BETA_TIMESTAMP_HH

#include "compiler.hh"

#pragma GCC visibility push(default)
#include <math.h>
#include <sys/time.h>
#include <time.h>
#pragma GCC visibility pop

#pragma GCC visibility push(default)
#include <chrono>
#pragma GCC visibility pop

typedef uint64_t kvtimestamp_t;
typedef uint64_t kvepoch_t;

/** Microseconds since 1970. */
inline MASSTREE_BETA_ABI kvtimestamp_t timestamp()
{
    return static_cast<kvtimestamp_t>(std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch()).count());
}

#endif
