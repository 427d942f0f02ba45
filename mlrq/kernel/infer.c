/* What mlrq/kernel/inference.py says, to the last bit, in one pass over the rows.
 *
 * Sums of integers have no order, and are taken in the one that suits the machine. Every operation on floats is
 * elementwise and rounds to nearest, ties to even; what becomes of a NaN is written as a comparison.
 */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "common.h"

enum { BLOCK = 256, NUMBERS = 1024 }; /* rows that are summed, and numbers that are encoded, at once */
enum { CACHED = 1 << 20 };           /* bytes of a result that a core's cache holds */

typedef union { int32_t narrow[BLOCK]; int64_t wide[BLOCK]; } sums;
typedef uint32_t word __attribute__((aligned(1), may_alias));

/* saturate(rint((x - offset) / scale)), and `low` for NaN. The number that is added and taken away again leaves
 * no bits for a fraction, so that its sum is rounded as rint rounds. */
INLINE float encoded(double x, float scale, float offset, float low, float high) {
  const float whole = 12582912.0f; /* 1.5 * 2^23 */
  float position = ((float)x - offset) / scale;
  position = position > low ? position : low;
  position = position < high ? position : high;
  return position + whole - whole;
}

/* Encode numbers that lie side by side, each on a grid of its own. */
INLINE void encode(int64_t count, const double *restrict x, const float *restrict scale,
                   const float *restrict offset, int bytes, void *restrict result) {
  const float low = bytes == 1 ? INT8_MIN : INT16_MIN, high = bytes == 1 ? INT8_MAX : INT16_MAX;
  for (int64_t i = 0; i < count; i++) {
    float code = encoded(x[i], scale[i], offset[i], low, high);
    if (bytes == 1) ((int8_t *)result)[i] = (int8_t)code;
    else ((int16_t *)result)[i] = (int16_t)code;
  }
}

/* The same for rows `step` bytes apart, of which many make one row with its grids repeated, if they can. */
INLINE void encode_rows(int64_t rows, int64_t features, const char *table, int64_t step, const float *scale,
                        const float *offset, int bytes, char *result) {
  float scales[NUMBERS], offsets[NUMBERS];
  int64_t most = step == features * (int64_t)sizeof(double) ? NUMBERS / features : 1;
  if (most > 16) most -= most % 16; /* whole vectors */
  if (most > 1) {
    for (int64_t i = 0; i < most * features; i++) scales[i] = scale[i % features];
    for (int64_t i = 0; i < most * features; i++) offsets[i] = offset[i % features];
    scale = scales, offset = offsets;
  }
  for (int64_t row = 0, some; row < rows; row += some) {
    some = most < 1 ? 1 : most < rows - row ? most : rows - row;
    encode(some * features, (const double *)(table + row * step), scale, offset, bytes,
           result + row * features * bytes);
  }
}

/* Codes of real numbers.
 *
 * table   (rows, features) doubles, with the given numbers of bytes between rows, or else features, which lie
 *         side by side
 * scale, offset   (features) the grids
 * bytes   1 or 2: those of a code
 * result  (rows, features) codes, rows or features side by side, as those of the table
 */
FASTEST void mlrq_encode(int64_t rows, int64_t features, const char *table, int64_t row_step,
                         int64_t feature_step, const float *scale, const float *offset, int64_t bytes,
                         char *result) {
  const int columns = row_step == sizeof(double); /* each of them rows of one feature */
  const int64_t width = columns ? 1 : features;
  for (int64_t f = 0; f < features; f += width, table += feature_step, result += rows * bytes)
    if (bytes == 1) encode_rows(rows, width, table, row_step, scale + f, offset + f, 1, result);
    else encode_rows(rows, width, table, row_step, scale + f, offset + f, 2, result);
}

/* Add a feature's codes times its weight. */
INLINE void add(sums *total, int wide, int size, const char *from, int64_t step, int bytes, int64_t weight) {
  for (int row = 0; row < size; row++) {
    const char *x = from + row * step;
    int32_t code = bytes == 1 ? *(const int8_t *)x : *(const int16_t *)x;
    if (wide) total->wide[row] += code * weight;
    else total->narrow[row] += code * (int32_t)weight;
  }
}

/* The same for as many features as fill a word, side by side: in a vector of words each row has a lane, where
 * shifts find its codes, the first one lowest. */
INLINE void add_word(sums *total, int wide, int size, const char *from, int64_t step, int bytes,
                     const int64_t *weights) {
  const int bits = 8 * bytes;
  for (int row = 0; row < size; row++) {
    uint32_t codes = *(const word *)(from + row * step);
#pragma GCC unroll 4
    for (int i = 0; i < 4 / bytes; i++) {
      int32_t code = (int32_t)(codes << (32 - bits - bits * i)) >> (32 - bits);
      if (wide) total->wide[row] += code * weights[i];
      else total->narrow[row] += code * (int32_t)weights[i];
    }
  }
}

/* bias + codes times weights, of a block of rows. */
INLINE void accumulate(sums *total, int wide, int size, const char *from, int64_t features, int64_t row_step,
                       int64_t feature_step, int bytes, const int64_t *weights, int64_t bias) {
  const int each = 4 / bytes;
  for (int row = 0; row < size; row++)
    if (wide) total->wide[row] = bias;
    else total->narrow[row] = (int32_t)bias;
  if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && feature_step == bytes && features >= each)
    for (int64_t first = 0; first < features; first += each) {
      int64_t at = first + each <= features ? first : features - each, some[4] = {0};
      for (int64_t i = first - at; i < each; i++) some[i] = weights[at + i]; /* no code twice */
      add_word(total, wide, size, from + at * bytes, row_step, bytes, some);
    }
  else
    for (int64_t f = 0; f < features; f++)
      if (row_step == bytes) add(total, wide, size, from + f * feature_step, bytes, bytes, weights[f]);
      else add(total, wide, size, from + f * feature_step, row_step, bytes, weights[f]);
}

/* The sums, or what they stand for: rounded to float, and times the scale in float. */
INLINE void store(const sums *total, int wide, int size, const float *scale, char *to, int64_t step) {
  for (int row = 0; row < size; row++)
    if (scale)
      *(double *)(to + row * step) = (wide ? (float)total->wide[row] : (float)total->narrow[row]) * *scale;
    else if (wide)
      *(int64_t *)(to + row * step) = total->wide[row];
    else
      *(int32_t *)(to + row * step) = total->narrow[row];
}

/* Move a block's predictions past the cache, where they would first be read and then be in the way. */
INLINE void stream(double *to, const double *from, int size) {
  int row = 0;
#ifdef __SSE2__
  if ((uintptr_t)to % sizeof(__m128d) == 0)
    for (; row + 2 <= size; row += 2) _mm_stream_pd(to + row, _mm_loadu_pd(from + row));
#endif
  memcpy(to + row, from + row, (size_t)(size - row) * sizeof *to);
}

INLINE void infer(int64_t rows, int64_t features, int64_t targets, const char *table, int64_t row_step,
                  int64_t feature_step, int bytes, int wide, const int64_t *weights, const int64_t *bias,
                  const float *scale, char *result) {
  const int64_t item = scale || wide ? 8 : 4;
  const int large = scale && targets == 1 && rows * item >= CACHED;
  for (int64_t first = 0; first < rows; first += BLOCK) {
    int size = rows - first < BLOCK ? (int)(rows - first) : BLOCK;
    for (int64_t t = 0; t < targets; t++) {
      sums total;
      char *to = result + (first * targets + t) * item;
      accumulate(&total, wide, size, table + first * row_step, features, row_step, feature_step, bytes,
                 weights + t * features, bias[t]);
      if (large) {
        double told[BLOCK];
        store(&total, wide, size, scale, (char *)told, item);
        stream((double *)to, told, size);
      } else if (targets == 1)
        store(&total, wide, size, scale, to, item);
      else
        store(&total, wide, size, scale ? scale + t : scale, to, targets * item);
    }
  }
#ifdef __SSE2__
  if (large) _mm_sfence();
#endif
}

/* Sums of codes times weights, and bias, or predictions.
 *
 * table   (rows, features) codes of 1 or 2 bytes, with the given numbers of bytes between rows and features
 * wide    1 where sums take 64 bits, 0 where 32 hold every one of them, partial ones too
 * weights (targets, features), bias (targets)
 * scale   (targets), or null for the sums
 * result  (rows, targets) doubles, or integers of 64 or 32 bits where there is no scale
 */
FASTEST void mlrq_infer(int64_t rows, int64_t features, int64_t targets, const char *table, int64_t row_step,
                        int64_t feature_step, int64_t bytes, int64_t wide, const int64_t *weights,
                        const int64_t *bias, const float *scale, char *result) {
#define CASE(BYTES, WIDE) \
  if (bytes == BYTES && wide == WIDE) \
    infer(rows, features, targets, table, row_step, feature_step, BYTES, WIDE, weights, bias, scale, result)
  CASE(1, 0);
  CASE(1, 1);
  CASE(2, 0);
  CASE(2, 1);
}
