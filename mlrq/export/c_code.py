"""Templates of the exported C, with names mlrq_... and MLRQ_...; what differs between models is @MARKED@."""

HEADER = """\
#ifndef MLRQ_H
#define MLRQ_H

@INCLUDES@#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MLRQ_FEATURES @FEATURES@u
#define MLRQ_TARGETS @TARGETS@u

@FORMATS@@EXPONENTS@
typedef int@INPUT_BITS@_t mlrq_input;

/* No partial sum exceeds @BOUND@ in magnitude, whatever the inputs. */
typedef int@ACCUMULATOR_BITS@_t mlrq_accumulator;

/* From input codes to fixed point: the whole model, in integers. */
void mlrq_infer(const mlrq_input inputs[MLRQ_FEATURES], int32_t outputs[MLRQ_TARGETS]);

/* Only the sums before they are scaled: (code - zero point) * input, summed, plus the intercept. */
void mlrq_accumulate(
    const mlrq_input inputs[MLRQ_FEATURES], mlrq_accumulator accumulators[MLRQ_TARGETS]);
@INTERVAL@
#ifndef MLRQ_NO_FLOAT
/* From real numbers to input codes: (feature - offset) / scale in float, rounded to nearest, ties to
   even, and saturated, as ONNX's QuantizeLinear does. NaN becomes the smallest code. Returns how many of
   the features saturate, NaN among them: 0 where all lie within the range above. */
int mlrq_quantize(const float features[MLRQ_FEATURES], mlrq_input inputs[MLRQ_FEATURES]);

/* From real numbers to real numbers, by way of the integer accumulator: accumulator * scale in float.
   Returns what mlrq_quantize does. */
int mlrq_predict(const float features[MLRQ_FEATURES], float predictions[MLRQ_TARGETS]);
@INTERVAL_FLOAT@#endif
@COLUMNS@
#ifdef __cplusplus
}
#endif

#endif
"""

SOURCE = """\
#include "mlrq.h"

#ifndef MLRQ_NO_FLOAT
/* Every operation on floats must round to float once, as IEEE 754 says. There is no product next to a
   sum, so that nothing can be contracted to a fused multiply-add. */
#include <float.h>
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "float arithmetic keeps extra digits here: use SSE (-msse2 -mfpmath=sse), or define MLRQ_NO_FLOAT"
#endif
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "fast math changes results: compile without -ffast-math, or define MLRQ_NO_FLOAT"
#endif
#endif

@CONSTANTS@@SUM@
@REQUANTIZE@
void mlrq_accumulate(
    const mlrq_input inputs[MLRQ_FEATURES], mlrq_accumulator accumulators[MLRQ_TARGETS])
{
    uint32_t target;

    for (target = 0; target < MLRQ_TARGETS; target++) {
        accumulators[target] = mlrq_sum(inputs, target);
    }
}

void mlrq_infer(const mlrq_input inputs[MLRQ_FEATURES], int32_t outputs[MLRQ_TARGETS])
{
    uint32_t target;

    for (target = 0; target < MLRQ_TARGETS; target++) {
        outputs[target] = mlrq_requantize(mlrq_sum(inputs, target), target);
    }
}
@INTERVAL@
#ifndef MLRQ_NO_FLOAT

@FLOAT_CONSTANTS@/* Writes the code, and returns whether it saturates. */
static int mlrq_encode(float feature, float scale, float offset, mlrq_input *code)
{
    /* Added to a smaller number and subtracted, it leaves the nearest integer, ties to even. */
    const float rounder = 12582912.0f; /* 1.5 * 2^23 */
    const float position = (feature - offset) / scale;
    int saturates = 0;

    if ((position != position) || (position <= @LOW@.0f)) { /* NaN is not itself */
        *code = @LOW@;
    } else if (position > @HIGH@.0f) {
        *code = @HIGH@;
    } else {
        const float nearest = (position + rounder) - rounder;

        *code = (mlrq_input)nearest;
    }
    /* A tie goes to the smallest code, which is even, but not to the largest. NaN is in no range. */
    if (!((position >= @LOW@.5f) && (position < @HIGH@.5f))) {
        saturates = 1;
    }
    return saturates;
}

int mlrq_quantize(const float features[MLRQ_FEATURES], mlrq_input inputs[MLRQ_FEATURES])
{
    uint32_t feature;
    int saturated = 0;

    for (feature = 0; feature < MLRQ_FEATURES; feature++) {
        saturated += mlrq_encode(
            features[feature], mlrq_input_scale[feature], mlrq_input_offset[feature], &inputs[feature]);
    }
    return saturated;
}

int mlrq_predict(const float features[MLRQ_FEATURES], float predictions[MLRQ_TARGETS])
{
    mlrq_input inputs[MLRQ_FEATURES];
    const int saturated = mlrq_quantize(features, inputs);
    uint32_t target;

    for (target = 0; target < MLRQ_TARGETS; target++) {
        float prediction = (float)mlrq_sum(inputs, target) * mlrq_scale[target];
@CLAMP_FLOAT@
        predictions[target] = prediction;
    }
    return saturated;
}
@INTERVAL_FLOAT@
#endif
"""

# Of models with an interval: what is added to the header and to the source, with and without floats.
HEADER_INTERVAL = """
/* The truth lies from low to high with a probability of MLRQ_LEVEL or more, of each target by itself. */
#define MLRQ_LEVEL @LEVEL@

/* From accumulators to the ends of their intervals in fixed point: less and more the half-width. */
void mlrq_interval(const mlrq_accumulator accumulators[MLRQ_TARGETS], int32_t low[MLRQ_TARGETS],
    int32_t high[MLRQ_TARGETS]);
"""

HEADER_INTERVAL_FLOAT = """
/* From accumulators to the ends of their intervals as real numbers, as mlrq_predict makes them. */
void mlrq_interval_f(const mlrq_accumulator accumulators[MLRQ_TARGETS], float low[MLRQ_TARGETS],
    float high[MLRQ_TARGETS]);
"""

INTERVAL = """
void mlrq_interval(const mlrq_accumulator accumulators[MLRQ_TARGETS], int32_t low[MLRQ_TARGETS],
    int32_t high[MLRQ_TARGETS])
{
    uint32_t target;

    for (target = 0; target < MLRQ_TARGETS; target++) {
        low[target] = mlrq_requantize(accumulators[target] - mlrq_half_width[target], target);
        high[target] = mlrq_requantize(accumulators[target] + mlrq_half_width[target], target);
    }
}
"""

INTERVAL_FLOAT = """
void mlrq_interval_f(const mlrq_accumulator accumulators[MLRQ_TARGETS], float low[MLRQ_TARGETS],
    float high[MLRQ_TARGETS])
{
    uint32_t target;

    for (target = 0; target < MLRQ_TARGETS; target++) {
        const mlrq_accumulator least = accumulators[target] - mlrq_half_width[target];
        const mlrq_accumulator most = accumulators[target] + mlrq_half_width[target];

        low[target] = (float)least * mlrq_scale[target];
        high[target] = (float)most * mlrq_scale[target];
    }
}
"""

SUM = """\
static mlrq_accumulator mlrq_sum(const mlrq_input inputs[MLRQ_FEATURES], uint32_t target)
{
    mlrq_accumulator sum = mlrq_intercept[target];
    uint32_t feature;

    for (feature = 0; feature < MLRQ_FEATURES; feature++) {
        const int32_t step = (int32_t)mlrq_codes[target][feature]@ZERO_POINT@;
        const int32_t product = step * inputs[feature]; /* at most 65535 * 32768, below 2^31 */

        sum += product;
    }
    return sum;
}
"""

SUM_PACKED = """\
static mlrq_accumulator mlrq_sum(const mlrq_input inputs[MLRQ_FEATURES], uint32_t target)
{
    const uint8_t *next = mlrq_codes[target];
    mlrq_accumulator sum = mlrq_intercept[target];
    uint32_t window = 0; /* bits read and not yet used, the next code lowest */
    uint32_t held = 0;   /* how many */
    uint32_t feature;

    for (feature = 0; feature < MLRQ_FEATURES; feature++) {
        uint32_t code;
        int32_t step;
        int32_t product;

        while (held < @BITS@u) {
            window |= (uint32_t)*next << held;
            next++;
            held += 8u;
        }
        code = (window & @MASK@u) ^ @SIGN@u;
        step = (int32_t)code - @SIGN@@ZERO_POINT@; /* the sign extended */
        window >>= @BITS@;
        held -= @BITS@u;
        product = step * inputs[feature]; /* at most 65535 * 32768, below 2^31 */
        sum += product;
    }
    return sum;
}
"""

ZERO_POINT = " - mlrq_zero_point[target]"

# Magnitudes are shifted, not signed numbers, whose shift C leaves to the compiler.
REQUANTIZE_32 = """\
/* accumulator * multiplier / 2^@SHIFT@, to nearest, ties away from zero. */
static int32_t mlrq_requantize(int32_t accumulator, uint32_t target)
{
    const uint32_t magnitude = (accumulator < 0) ? (~(uint32_t)accumulator + 1u) : (uint32_t)accumulator;
    const uint64_t product = (uint64_t)magnitude * mlrq_multiplier[target]; /* below 2^62 */
    const uint64_t rounded = (product + ((uint64_t)1 << @SHIFT_LESS_1@)) >> @SHIFT@;
    @CONST@int32_t output = (accumulator < 0) ? -(int32_t)rounded : (int32_t)rounded;

@CLAMP@    return output;
}
"""

REQUANTIZE_64 = """\
/* accumulator * multiplier / 2^@SHIFT@, to nearest, ties away from zero. The product has up to 93 bits: its
   lowest 30 cannot reach the rounding, and are dropped. */
static int32_t mlrq_requantize(int64_t accumulator, uint32_t target)
{
    const uint64_t magnitude = (accumulator < 0) ? (~(uint64_t)accumulator + 1u) : (uint64_t)accumulator;
    const uint64_t upper = (magnitude >> 30) * mlrq_multiplier[target];
    const uint64_t lower = (magnitude & 0x3fffffffu) * mlrq_multiplier[target];
    const uint64_t product = upper + (lower >> 30);
    const uint64_t rounded = (product + ((uint64_t)1 << @SHIFT_LESS_31@)) >> @SHIFT_LESS_30@;
    @CONST@int32_t output = (accumulator < 0) ? -(int32_t)rounded : (int32_t)rounded;

@CLAMP@    return output;
}
"""

CLAMP = """\
    if (output < mlrq_output_low[target]) {
        output = mlrq_output_low[target];
    }
    if (output > mlrq_output_high[target]) {
        output = mlrq_output_high[target];
    }
"""

CLAMP_FLOAT = """
        if (prediction < mlrq_prediction_low[target]) {
            prediction = mlrq_prediction_low[target];
        }
        if (prediction > mlrq_prediction_high[target]) {
            prediction = mlrq_prediction_high[target];
        }"""


def filled(text: str, **values: object) -> str:
    """`text` with each @NAME@ replaced, once: a value is never searched for marks."""
    pieces = text.split("@")
    return "".join(str(values[piece]) if index % 2 else piece for index, piece in enumerate(pieces))
