/* What mlrq/kernel/householder.py says, to the last bit: QR by Householder's reflections, block after block. */
#include <math.h>
#include <stdlib.h>

#include "blocks.h"

enum { LOWEST = -1000 }; /* exponent whose power of two still has an inverse */
static const double TINY = 0x1p-960; /* a sum of squares below which some of them may have lost digits */

/* Largest magnitude in a column. */
INLINE double largest(const double *x) {
  double found = 0;
  for (int row = 0; row < BLOCK; row++) found = fabs(x[row]) > found ? fabs(x[row]) : found;
  return found;
}

/* A reflection I - factor v v' with v = (first, normal), the first for the triangle above; factor 0: none. */
typedef struct {
  const vector *normal;
  double first, factor;
} mirror;

/* The reflection that makes a column zero below its top; `scaled` is room for its normal. */
INLINE mirror reflection(const double *column, double square, double *top, vector *scaled) {
  const vector *normal = (const vector *)column;
  double head = *top, unit = 1;
  if (square < TINY) { /* in units of a power of two, which rounds nothing, squares do not vanish */
    double most = largest(column);
    int exponent;
    frexp(most > fabs(head) ? most : fabs(head), &exponent);
    unit = ldexp(1, -(exponent < LOWEST ? LOWEST : exponent));
    for (int v = 0; v < VECTORS; v++) scaled[v] = normal[v] * unit;
    square = product(scaled, scaled);
    if (square == 0) return (mirror){scaled, 0, 0};
    normal = scaled;
    head *= unit;
  }
  double length = copysign(sqrt(head * head + square), head), first = head + length;
  *top = -length / unit;
  return (mirror){normal, first, 2 / (first * first + square)};
}

/* Take `share` of a normal away from a column; what is left of it times the next normal. */
INLINE double reflected(vector *column, double share, const vector *normal, const vector *next) {
  vector parts[4], sums[KEPT];
#pragma GCC unroll 16
  for (int v = 0; v < KEPT; v++) {
#pragma GCC unroll 4
    for (int part = 0; part < 4; part++) {
      int at = v + part * KEPT;
      column[at] = parts[part] = column[at] - share * normal[at];
      parts[part] *= next[at];
    }
    sums[v] = (parts[0] + parts[2]) + (parts[1] + parts[3]);
  }
  return by_halves(sums);
}

/* Reflect the rows of a block so that a triangle above them takes in what they have.
 *
 * A column is reflected and multiplied by the next normal while it is at hand.
 *
 * block     (columns, BLOCK): a column after the other; overwritten
 * triangle  (columns, columns) upper triangular, row after row; updated
 * along     (columns) to work with
 */
FASTEST void SIZED(mlrq_reflect)(int64_t columns, double *block, double *triangle, double *along) {
  vector scaled[2][VECTORS];
  vector *own = (vector *)block;
  mirror now = reflection(block, product(own, own), triangle, scaled[0]);
  for (int64_t i = 1; i < columns; i++) along[i] = product(own + i * VECTORS, now.normal);
  for (int64_t j = 0; j + 1 < columns; j++) {
    double *top = triangle + j * columns;
    for (int64_t i = j + 1; i < columns; i++) {
      along[i] = (top[i] * now.first + along[i]) * now.factor;
      top[i] -= along[i] * now.first;
    }
    own += VECTORS;
    for (int v = 0; v < VECTORS; v++) own[v] -= along[j + 1] * now.normal[v];
    mirror next = reflection((double *)own, product(own, own), top + columns + j + 1, scaled[(j + 1) & 1]);
    for (int64_t i = j + 2; i < columns; i++)
      along[i] = reflected((vector *)block + i * VECTORS, along[i], now.normal, next.normal);
    now = next;
  }
}

/* The same for any number of rows, (rows, columns), row after row. Returns -1 where there is no memory. */
int SIZED(mlrq_stack)(int64_t columns, int64_t rows, const double *table, double *triangle) {
  size_t size = (size_t)columns * BLOCK;
  double *block = aligned_alloc(sizeof(vector), (size + (size_t)columns) / WIDTH * sizeof(vector) + sizeof(vector));
  if (!block) return -1;
  for (int64_t first = 0; first < rows; first += BLOCK) {
    for (int64_t c = 0; c < columns; c++)
      for (int64_t row = 0; row < BLOCK; row++)
        block[c * BLOCK + row] = first + row < rows ? table[(first + row) * columns + c] : 0;
    SIZED(mlrq_reflect)(columns, block, triangle, block + size);
  }
  free(block);
  return 0;
}
