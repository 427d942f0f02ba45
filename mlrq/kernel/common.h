/* What every C file of the library starts with. */
#ifndef MLRQ_COMMON_H
#define MLRQ_COMMON_H

#include <float.h>
#include <stdint.h>

#if FLT_EVAL_METHOD != 0
#error "float and double arithmetic have to be those of floats and doubles"
#endif

/* One copy of a function for each kind of processor; the loader picks. */
#if defined FASTEST
#elif defined MLRQ_CLONES
#define FASTEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FASTEST
#endif
#define INLINE static inline __attribute__((always_inline))

#endif
