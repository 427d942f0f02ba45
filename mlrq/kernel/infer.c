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
enum { PAIRED = 512 };               /* features whose weights are laid out for instructions on pairs */
enum { LAID = 2 * PAIRED };          /* vectors of weights laid out at once; a target has half as many at most */

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

#ifdef __SSE2__
/* bias + codes times weights of four rows at once, eight bytes of each at a time: products of 16 bits, and sums
 * of two of them, in one instruction. `pairs` has the weights of eight bytes as that takes them: of one-byte
 * codes those with even numbers and those with odd ones. */
INLINE void sum_pairs(sums *total, int size, const char *from, int64_t features, int64_t step, int bytes,
                      const __m128i *pairs, int64_t bias) {
  const int64_t each = 8 / bytes;
  for (int next = 0; next < size; next += 4) {
    int row = next + 4 <= size ? next : size - 4;
    const char *x = from + row * step;
    __m128i sum = _mm_set1_epi32((int32_t)bias);
    const __m128i *weights = pairs;
    for (int64_t first = 0; first < features; first += each, weights += bytes == 1 ? 4 : 2) {
      const char *at = x + (first + each <= features ? first : features - each) * bytes;
      __m128 low = _mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)at));
      __m128 high = _mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)(at + 2 * step)));
      low = _mm_loadh_pi(low, (const __m64 *)(at + step));
      high = _mm_loadh_pi(high, (const __m64 *)(at + 3 * step));
      __m128i words[] = {_mm_castps_si128(_mm_shuffle_ps(low, high, _MM_SHUFFLE(2, 0, 2, 0))),
                         _mm_castps_si128(_mm_shuffle_ps(low, high, _MM_SHUFFLE(3, 1, 3, 1)))};
#pragma GCC unroll 2
      for (int i = 0; i < 2; i++)
        if (bytes == 1) {
          __m128i even = _mm_srai_epi16(_mm_slli_epi16(words[i], 8), 8), odd = _mm_srai_epi16(words[i], 8);
          sum = _mm_add_epi32(sum, _mm_add_epi32(_mm_madd_epi16(even, weights[2 * i]),
                                                 _mm_madd_epi16(odd, weights[2 * i + 1])));
        } else
          sum = _mm_add_epi32(sum, _mm_madd_epi16(words[i], weights[i]));
    }
    _mm_storeu_si128((__m128i *)(total->narrow + row), sum);
  }
}

/* Whether weights of 16 bits are all that there are, of as many features as `sum_pairs` takes. */
INLINE int pairable(int64_t features, int64_t targets, int bytes, const int64_t *weights) {
  if (features < 8 / bytes || features > PAIRED) return 0;
  for (int64_t i = 0; i < targets * features; i++)
    if (weights[i] < INT16_MIN || weights[i] > INT16_MAX) return 0;
  return 1;
}

/* Lay the weights of one target out as `sum_pairs` takes them. */
INLINE void lay(int64_t features, int bytes, const int64_t *weights, __m128i *pairs) {
  const int64_t each = 8 / bytes;
  for (int64_t first = 0; first < features; first += each) {
    int64_t at = first + each <= features ? first : features - each;
    int16_t some[8] = {0};
    for (int64_t i = first - at; i < each; i++) some[i] = (int16_t)weights[at + i]; /* no code twice */
    for (int64_t i = 0; i < each; i += 4 / bytes)
      if (bytes == 1) {
        *pairs++ = _mm_set1_epi32((int32_t)((uint16_t)some[i] | (uint32_t)(uint16_t)some[i + 2] << 16));
        *pairs++ = _mm_set1_epi32((int32_t)((uint16_t)some[i + 1] | (uint32_t)(uint16_t)some[i + 3] << 16));
      } else
        *pairs++ = _mm_set1_epi32((int32_t)((uint16_t)some[i] | (uint32_t)(uint16_t)some[i + 1] << 16));
  }
}
#endif

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
#ifdef __SSE2__
  /* Weights are laid out once, and for each block anew only those for which there is no room. */
  const int64_t each = 8 / bytes, step = (features + each - 1) / each * (bytes == 1 ? 4 : 2);
  const int64_t room = step ? LAID / step : 0;
  const int in_pairs = !wide && feature_step == bytes && pairable(features, targets, bytes, weights);
  __m128i pairs[LAID];
  for (int64_t t = 0; in_pairs && t < targets && t < room; t++)
    lay(features, bytes, weights + t * features, pairs + t * step);
#endif
  for (int64_t first = 0; first < rows; first += BLOCK) {
    int size = rows - first < BLOCK ? (int)(rows - first) : BLOCK;
    for (int64_t t = 0; t < targets; t++) {
      sums total;
      char *to = result + (first * targets + t) * item;
      const char *from = table + first * row_step;
#ifdef __SSE2__
      if (in_pairs && size >= 4) {
        __m128i *own = pairs + (t < room ? t : room - 1) * step;
        if (targets > room && t >= room - 1) lay(features, bytes, weights + t * features, own);
        sum_pairs(&total, size, from, features, row_step, bytes, own, bias[t]);
      } else
#endif
        accumulate(&total, wide, size, from, features, row_step, feature_step, bytes, weights + t * features, bias[t]);
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
