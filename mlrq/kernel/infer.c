/* What mlrq/kernel/inference.py says, to the last bit, in one pass over the rows.
 *
 * Sums of integers have no order, and are taken in the one that suits the machine. Every operation on floats is
 * elementwise and rounds to nearest, ties to even; what becomes of a NaN is written as a comparison.
 */
#ifdef MLRQ_CLONES
#include <immintrin.h>
#endif

#include "common.h"

enum { BLOCK = 256, NUMBERS = 1024 }; /* rows that are summed, and numbers that are encoded, at once */
enum { LAID = 1024 };                /* pairs of weights that are laid out at once */

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

#ifdef MLRQ_CLONES
#define AVX2 __attribute__((target("avx2")))

/* Eight bytes of each of two rows. */
static inline AVX2 __m128i two_rows(const char *from, int64_t step) {
  if (step == 8) return _mm_loadu_si128((const __m128i *)from);
  __m128 first = _mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)from));
  return _mm_castps_si128(_mm_loadh_pi(first, (const __m64 *)(from + step)));
}

/* The same of rows 0, 1, 4 and 5. */
static inline AVX2 __m256 four_rows(const char *from, int64_t step) {
  __m256i low = _mm256_castsi128_si256(two_rows(from, step));
  return _mm256_castsi256_ps(_mm256_inserti128_si256(low, two_rows(from + 4 * step, step), 1));
}

/* bias + codes times weights of eight rows at once, eight bytes of each at a time: products of 16 bits, and
 * sums of two of them, in one instruction. `pairs` has the weights of eight bytes as that takes them: of
 * one-byte codes those with even numbers and those with odd ones. */
static AVX2 void sum_pairs(int32_t *total, int size, const char *from, int64_t features, int64_t step, int bytes,
                           const int32_t *pairs, int32_t bias) {
  const int64_t each = 8 / bytes;
  for (int next = 0; next < size; next += 8) {
    int row = next + 8 <= size ? next : size - 8;
    __m256i sum = _mm256_set1_epi32(bias);
    const int32_t *weights = pairs;
    for (int64_t first = 0; first < features; first += each) {
      const char *at = from + row * step + (first + each <= features ? first : features - each) * bytes;
      __m256 some = four_rows(at, step), others = four_rows(at + 2 * step, step);
      __m256i words[] = {_mm256_castps_si256(_mm256_shuffle_ps(some, others, _MM_SHUFFLE(2, 0, 2, 0))),
                         _mm256_castps_si256(_mm256_shuffle_ps(some, others, _MM_SHUFFLE(3, 1, 3, 1)))};
#pragma GCC unroll 2
      for (int i = 0; i < 2; i++) {
        if (bytes == 1) {
          __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(words[i], 8), 8);
          sum = _mm256_add_epi32(sum, _mm256_madd_epi16(even, _mm256_set1_epi32(*weights++)));
          words[i] = _mm256_srai_epi16(words[i], 8);
        }
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(words[i], _mm256_set1_epi32(*weights++)));
      }
    }
    _mm256_storeu_si256((__m256i *)(total + row), sum);
  }
}

/* How many pairs of a target's weights `sum_pairs` takes; 0 where it does not suit. */
static int64_t pairs_of(int64_t features, int64_t targets, int bytes, const int64_t *weights) {
  const int64_t each = 8 / bytes, pairs = (features + each - 1) / each * 4 / bytes;
  if (!__builtin_cpu_supports("avx2") || features < each || pairs > LAID) return 0;
  for (int64_t i = 0; i < targets * features; i++)
    if (weights[i] < INT16_MIN || weights[i] > INT16_MAX) return 0;
  return pairs;
}

static int32_t paired(int64_t low, int64_t high) {
  return (int32_t)((uint32_t)low & 0xffff | (uint32_t)high << 16);
}

/* Lay the weights of one target out as `sum_pairs` takes them. */
static void lay(int64_t features, int bytes, const int64_t *weights, int32_t *pairs) {
  const int64_t each = 8 / bytes;
  for (int64_t first = 0; first < features; first += each) {
    int64_t at = first + each <= features ? first : features - each, some[8] = {0};
    for (int64_t i = first - at; i < each; i++) some[i] = weights[at + i]; /* no code twice */
    for (int64_t i = 0; i < each; i += 4 / bytes)
      if (bytes == 1) {
        *pairs++ = paired(some[i], some[i + 2]);
        *pairs++ = paired(some[i + 1], some[i + 3]);
      } else
        *pairs++ = paired(some[i], some[i + 1]);
  }
}
#endif

/* The sums, or what they stand for: rounded to float, and times the scale in float. */
INLINE void store(const sums *total, int wide, int size, const float *scale, char *to, int64_t step) {
  for (int row = 0; row < size; row++)
    if (scale)
      *(float *)(to + row * step) = (wide ? (float)total->wide[row] : (float)total->narrow[row]) * *scale;
    else if (wide)
      *(int64_t *)(to + row * step) = total->wide[row];
    else
      *(int32_t *)(to + row * step) = total->narrow[row];
}

INLINE void infer(int64_t rows, int64_t features, int64_t targets, const char *table, int64_t row_step,
                  int64_t feature_step, int bytes, int wide, const int64_t *weights, const int64_t *bias,
                  const float *scale, char *result) {
  const int64_t item = wide && !scale ? 8 : 4;
#ifdef MLRQ_CLONES
  /* Weights are laid out once, and for each block anew only those for which there is no room. */
  const int64_t step = wide || feature_step != bytes ? 0 : pairs_of(features, targets, bytes, weights);
  const int64_t room = step ? LAID / step : 0;
  int32_t pairs[LAID];
  for (int64_t t = 0; t < targets && t < room; t++) lay(features, bytes, weights + t * features, pairs + t * step);
#endif
  for (int64_t first = 0; first < rows; first += BLOCK) {
    int size = rows - first < BLOCK ? (int)(rows - first) : BLOCK;
    for (int64_t t = 0; t < targets; t++) {
      sums total;
      const char *from = table + first * row_step;
#ifdef MLRQ_CLONES
      if (step && size >= 8) {
        int32_t *own = pairs + (t < room ? t : room - 1) * step;
        if (targets > room && t >= room - 1) lay(features, bytes, weights + t * features, own);
        sum_pairs(total.narrow, size, from, features, row_step, bytes, own, (int32_t)bias[t]);
      } else
#endif
        accumulate(&total, wide, size, from, features, row_step, feature_step, bytes, weights + t * features, bias[t]);
      char *to = result + (first * targets + t) * item;
      if (targets == 1) store(&total, wide, size, scale, to, item);
      else store(&total, wide, size, scale ? scale + t : scale, to, targets * item);
    }
  }
}

/* Sums of codes times weights, and bias, or predictions.
 *
 * table   (rows, features) codes of 1 or 2 bytes, with the given numbers of bytes between rows and features
 * wide    1 where sums take 64 bits, 0 where 32 hold every one of them, partial ones too
 * weights (targets, features), bias (targets)
 * scale   (targets), or null for the sums
 * result  (rows, targets) floats, or integers of 64 or 32 bits where there is no scale
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
