/* What mlrq/kernel/reference.py says of each row by itself, to the last bit. */
#include <math.h>

#include "blocks.h"

enum { LANES = 64 };

const char mlrq_source[] = MLRQ_SOURCE;

/* Numbers in a vector of the functions to call, which have it in their names: those of wide.c where they run. */
int64_t mlrq_width(void) {
#ifdef MLRQ_CLONES
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return 8;
#endif
  return WIDTH;
}

FASTEST void mlrq_below(int64_t count, uint64_t start, uint64_t key, uint64_t limit, uint8_t *result) {
  for (int64_t i = 0; i < count; i++) result[i] = scrambled((start + (uint64_t)i) ^ key) < limit;
}

/* Whether every number is at most `limit`, either sign; NaN is not. */
FASTEST int mlrq_bounded(int64_t columns, int64_t rows, const double *const *table, double limit) {
  int64_t beyond[LANES] = {0};
  for (int64_t c = 0; c < columns; c++) {
    const double *x = table[c];
    int64_t first = 0;
    for (; first + LANES <= rows; first += LANES)
      for (int lane = 0; lane < LANES; lane++) beyond[lane] |= !(fabs(x[first + lane]) <= limit);
    for (; first < rows; first++) beyond[0] |= !(fabs(x[first]) <= limit);
  }
  for (int lane = 1; lane < LANES; lane++) beyond[0] |= beyond[lane];
  return !beyond[0];
}

/* rows times weights' plus intercept, each sum from the first feature to the last.
 *
 * table   (rows, features) doubles, with the given numbers of bytes between rows and between features
 * result  (rows, targets)
 */
FASTEST void mlrq_affine(int64_t rows, int64_t features, int64_t targets, const char *table,
                         int64_t row_step, int64_t feature_step, const double *weights,
                         const double *intercept, double *result) {
  for (int64_t first = 0; first < rows; first += BLOCK) {
    int size = rows - first < BLOCK ? (int)(rows - first) : BLOCK;
    for (int64_t t = 0; t < targets; t++) {
      double sums[BLOCK] = {0};
      for (int64_t f = 0; f < features; f++) {
        const char *x = table + first * row_step + f * feature_step;
        double weight = weights[t * features + f];
        if (row_step == sizeof(double))
          for (int row = 0; row < size; row++) sums[row] += ((const double *)x)[row] * weight;
        else
          for (int row = 0; row < size; row++) sums[row] += *(const double *)(x + row * row_step) * weight;
      }
      for (int row = 0; row < size; row++) result[(first + row) * targets + t] = sums[row] + intercept[t];
    }
  }
}
