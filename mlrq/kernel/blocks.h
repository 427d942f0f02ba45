/* Columns of a block of rows, and sums over them. */
#ifndef MLRQ_BLOCKS_H
#define MLRQ_BLOCKS_H

#include <string.h>

#include "common.h"

/* Vectors of four numbers, or eight (wide.c), which GCC takes apart badly where a processor has none of them.
 * Sums have one order for both. */
#ifndef WIDTH
#define WIDTH 4
#endif
#define JOINED(name, width) name##_##width
#define WITH(name, width) JOINED(name, width)
#define SIZED(name) WITH(name, WIDTH)

enum { BLOCK = 256, VECTORS = BLOCK / WIDTH, KEPT = VECTORS / 4 };
typedef double vector __attribute__((vector_size(WIDTH * sizeof(double))));

/* Sum of a block's numbers, of which two halvings are done. */
INLINE double by_halves(vector *sums) {
  double lanes[WIDTH];
  for (int half = KEPT / 2; half > 0; half /= 2)
#pragma GCC unroll 16
    for (int v = 0; v < half; v++) sums[v] += sums[v + half];
  memcpy(lanes, sums, sizeof lanes);
  for (int half = WIDTH / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
  return lanes[0];
}

/* Sum of the products of two columns of a block, added by halves. */
INLINE double product(const vector *x, const vector *y) {
  vector sums[KEPT];
#pragma GCC unroll 16
  for (int v = 0; v < KEPT; v++)
    sums[v] = (x[v] * y[v] + x[v + 2 * KEPT] * y[v + 2 * KEPT]) +
              (x[v + KEPT] * y[v + KEPT] + x[v + 3 * KEPT] * y[v + 3 * KEPT]);
  return by_halves(sums);
}

/* splitmix64's output for a state. */
INLINE uint64_t scrambled(uint64_t state) {
  state += 0x9E3779B97F4A7C15u;
  state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
  state = (state ^ (state >> 27)) * 0x94D049BB133111EBu;
  return state ^ (state >> 31);
}

/* See kernel.c. */
int mlrq_bounded(int64_t columns, int64_t rows, const double *const *table, double limit);

/* See householder.c. */
void SIZED(mlrq_reflect)(int64_t columns, double *block, double *triangle, double *along);
int SIZED(mlrq_stack)(int64_t columns, int64_t rows, const double *table, double *triangle);

#endif
