/* scan.c and householder.c once more, in vectors of eight numbers, for processors that have them. */
#ifdef MLRQ_CLONES
#define WIDTH 8
#define FASTEST __attribute__((target("arch=x86-64-v4")))
#include "householder.c"
#include "scan.c"
#endif
