/* Columns of a block of rows, and sums over them. */
#ifndef MLRQ_BLOCKS_H
#define MLRQ_BLOCKS_H

#include <string.h>

#include "common.h"

enum { BLOCK = 256, WIDTH = 8, VECTORS = BLOCK / WIDTH, KEPT = VECTORS / 4 };
typedef double vector __attribute__((vector_size(WIDTH * sizeof(double))));

/* Sum of a block's numbers, of which two halvings are done. */
INLINE double by_halves(vector *sums) {
  double lanes[WIDTH];
  for (int half = KEPT / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int v = 0; v < half; v++) sums[v] += sums[v + half];
  memcpy(lanes, sums, sizeof lanes);
  for (int half = WIDTH / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
  return lanes[0];
}

/* Sum of the products of two columns of a block, added by halves. */
INLINE double product(const vector *x, const vector *y) {
  vector sums[KEPT];
#pragma GCC unroll 8
  for (int v = 0; v < KEPT; v++)
    sums[v] = (x[v] * y[v] + x[v + 2 * KEPT] * y[v + 2 * KEPT]) +
              (x[v + KEPT] * y[v + KEPT] + x[v + 3 * KEPT] * y[v + 3 * KEPT]);
  return by_halves(sums);
}

/* See householder.c. */
void mlrq_reflect(int64_t columns, double *block, double *triangle, double *along);
int mlrq_stack(int64_t columns, int64_t rows, const double *table, double *triangle);

#endif
