/* What mlrq/kernel/reference.py says of many rows, to the last bit, in one pass over them.
 *
 * Every sum is taken in the order that is written here, whatever the width of the machine's vectors, and no
 * product is fused with a sum: compile with -ffp-contract=off, and never with -ffast-math.
 */
#include <math.h>
#include <stdlib.h>

#include "blocks.h"

/* Extend a range to the numbers of a block, but for those that are none. */
INLINE void extend(const double *x, double *low, double *high) {
  enum { SIDE_BY_SIDE = 16 };
  double least[SIDE_BY_SIDE], most[SIDE_BY_SIDE];
  for (int lane = 0; lane < SIDE_BY_SIDE; lane++) {
    least[lane] = *low;
    most[lane] = *high;
#pragma GCC unroll 16
    for (int step = 0; step < BLOCK; step += SIDE_BY_SIDE) {
      double other = x[step + lane];
      least[lane] = other < least[lane] ? other : least[lane];
      most[lane] = other > most[lane] ? other : most[lane];
    }
  }
  for (int lane = 0; lane < SIDE_BY_SIDE; lane++) {
    *low = least[lane] < *low ? least[lane] : *low;
    *high = most[lane] > *high ? most[lane] : *high;
  }
}

/* The same with the rows that are kept; whether one of all rows is beyond `bound`, either sign. A block within
 * what is known, as nearly all are, is not looked at again. */
INLINE int extend_kept(const double *x, const double *kept, double bound, double *low, double *high) {
  double some[BLOCK], least = *low, most = *high;
  extend(x, &least, &most);
  if (least == *low && most == *high) return 0;
  for (int row = 0; row < BLOCK; row++) some[row] = kept[row] != 0.0 ? x[row] : NAN;
  extend(some, low, high);
  return least < -bound || most > bound;
}

INLINE uint64_t fingerprint(const double *x, const uint64_t *odd) {
  uint64_t sum = 0;
  for (int row = 0; row < BLOCK; row++) {
    uint64_t bits;
    memcpy(&bits, x + row, sizeof bits);
    sum += (bits ^ (bits >> 32)) * odd[row];
  }
  return sum;
}

/* The next `count` numbers, `step` bytes apart, and then `rest`. */
INLINE void take(double *block, const char *from, int64_t step, int count, double rest) {
  if (step == sizeof(double))
    memcpy(block, from, (size_t)count * sizeof *block);
  else
    for (int row = 0; row < count; row++) block[row] = *(const double *)(from + row * step);
  for (int row = count; row < BLOCK; row++) block[row] = rest;
}

/* How far predictions are from the truth; see the reference for what is found.
 *
 * Both columns have the given numbers of bytes between rows.
 */
FASTEST void SIZED(mlrq_tally)(int64_t rows, const char *actual, int64_t actual_step, const char *predicted,
                        int64_t predicted_step, double *found) {
  struct { vector truth[BLOCK / WIDTH], told[BLOCK / WIDTH], size[BLOCK / WIDTH], ones[BLOCK / WIDTH]; } block;
  double *truth = (double *)block.truth, *told = (double *)block.told;
  double *size = (double *)block.size, *ones = (double *)block.ones;
  double mean = 0, total = 0, residual = 0, absolute = 0;
  double least = 0, largest = 0, low = INFINITY, high = -INFINITY;
  for (int row = 0; row < BLOCK; row++) ones[row] = 1;
  for (int64_t first = 0; first < rows; first += BLOCK) {
    int count = rows - first < BLOCK ? (int)(rows - first) : BLOCK;
    take(truth, actual + first * actual_step, actual_step, count, 0);
    mean += product(block.truth, block.ones);
  }
  if (rows) mean /= (double)rows;
  for (int64_t first = 0; first < rows; first += BLOCK) {
    int count = rows - first < BLOCK ? (int)(rows - first) : BLOCK;
    take(truth, actual + first * actual_step, actual_step, count, mean);
    take(told, predicted + first * predicted_step, predicted_step, count, mean);
    for (int row = 0; row < BLOCK; row++) size[row] = fabs(truth[row] - told[row]);
    for (int row = 0; row < BLOCK; row++) truth[row] -= mean;
    total += product(block.truth, block.truth);
    residual += product(block.size, block.size);
    absolute += product(block.size, block.ones);
    for (int row = count; row < BLOCK; row++) told[row] = told[0];
    extend(told, &low, &high);
    extend(size, &least, &largest);
  }
  double all[] = {mean, total, residual, absolute, largest, low, high};
  memcpy(found, all, sizeof all);
}

/* Triangle of the rows that are kept, and, unless `test` is null, what else the first pass asks.
 *
 * table   columns of `rows` doubles each
 * test    (rows) 1 where a row is a test row, 0 where it is kept; null: all are kept, and nothing else is asked
 * bound   of the numbers, either sign
 * taken   number of test rows
 * start   position of the first row
 * pivot   (columns)
 * triangle  (columns + 1, columns + 1) updated with the rows [1, row - pivot]; signs as they come
 * prints  (columns) fingerprints of all rows, added to
 * low, high   (columns) of the rows that are kept, extended
 * tests   (columns, taken) the test rows
 *
 * Returns 0, 1 where a number is beyond the bound or none, or -1 when there is no memory.
 */
FASTEST int SIZED(mlrq_scan)(int64_t columns, int64_t rows, const double *const *table, const uint8_t *test,
                      int64_t taken, uint64_t start, double bound, const double *pivot, double *triangle,
                      uint64_t *prints, double *low, double *high, double *tests) {
  int64_t width = columns + 1, area = width * width, side_by_side = BLOCK > width ? BLOCK / width : 1;
  size_t size = (size_t)(width * BLOCK);
  double *block = aligned_alloc(sizeof(vector), (size + (size_t)width) / WIDTH * sizeof(vector) + sizeof(vector));
  double *others = calloc((size_t)(area * side_by_side), sizeof *others);
  int beyond = 0, failed = !block || !others;
  double *kept = block; /* the column of ones: what is not kept is zero in every column */
  for (int64_t first = 0; first < rows && !failed; first += BLOCK) {
    int count = rows - first < BLOCK ? (int)(rows - first) : BLOCK, found = 0;
    uint64_t odd[BLOCK];
    int places[BLOCK];
    double padded[BLOCK] = {0};
    for (int row = 0; row < BLOCK; row++) kept[row] = row < count;
    if (test) {
      for (int row = 0; row < count; row++) kept[row] = test[first + row] ? 0.0 : 1.0;
      for (int row = 0; row < count; row++) {
        places[found] = row;
        found += test[first + row];
      }
      for (int row = 0; row < BLOCK; row++) odd[row] = scrambled(start + (uint64_t)(first + row)) | 1;
    }
    for (int64_t c = 0; c < columns; c++) {
      const double *x = table[c] + first;
      double *own = block + (c + 1) * BLOCK;
      if (count < BLOCK) x = memcpy(padded, x, (size_t)count * sizeof *x);
      for (int row = 0; row < BLOCK; row++) own[row] = (x[row] - pivot[c]) * kept[row];
      if (!test) continue;
      prints[c] += fingerprint(x, odd);
      beyond |= extend_kept(x, kept, bound, low + c, high + c);
      for (int row = 0; row < found; row++) tests[c * taken + row] = x[places[row]];
    }
    tests += found;
    int64_t turn = first / BLOCK % side_by_side;
    SIZED(mlrq_reflect)(width, block, turn ? others + turn * area : triangle, block + size);
  }
  int64_t blocks = (rows + BLOCK - 1) / BLOCK, used = blocks < side_by_side ? blocks : side_by_side;
  if (!failed && used > 1) failed = SIZED(mlrq_stack)(width, (used - 1) * width, others + area, triangle);
  free(block);
  free(others);
  if (failed) return -1;
  /* No comparison finds what is no number, but it is in the triangle; so may be what overflowed, which is one. */
  if (test && !isfinite(triangle[area - 1])) beyond = !mlrq_bounded(columns, rows, table, bound);
  return beyond;
}
