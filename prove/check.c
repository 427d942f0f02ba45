/* Holds an exported model to exact integers. Written with the names mlrq_...; each export gets its own copy.
 *
 * What is true is computed from the artifact: codes minus zero points, intercepts, how far accumulators reach,
 * and that an output is
 *
 *     sign * floor((magnitude * mantissa + 2^(shift - 1)) / 2^shift), clamped,
 *
 * where mantissa / 2^shift is scale / 2^exponent exactly. The product fits mlrq_product.
 */
static int32_t mlrq_clamped(int64_t output, uint32_t target)
{
    const int64_t low = mlrq_true_low[target], high = mlrq_true_high[target];

    output = output < low ? low : output;
    return (int32_t)(output > high ? high : output);
}

static int64_t mlrq_exact(int64_t accumulator, uint32_t target)
{
    const mlrq_product magnitude = (mlrq_product)(accumulator < 0 ? -accumulator : accumulator);
    const int shift = mlrq_true_shift[target];
    const mlrq_product half = shift > 0 ? (mlrq_product)1 << (shift - 1) : 0;
    const int64_t output = (int64_t)((magnitude * mlrq_true_mantissa[target] + half) >> shift);

    return accumulator < 0 ? -output : output;
}

/* Whether the output is what it is to be; `checked` tells the first one that is not. */
static int mlrq_is(int64_t accumulator, int64_t output, uint32_t target)
{
    return mlrq_requantize((mlrq_accumulator)accumulator, target) == mlrq_clamped(output, target);
}

static int mlrq_checked(int64_t accumulator, uint32_t target)
{
    return equal("mlrq", "output of accumulator", target, accumulator,
                 mlrq_requantize((mlrq_accumulator)accumulator, target),
                 mlrq_clamped(mlrq_exact(accumulator, target), target));
}

/* A sum is linear in the inputs, so those of no input and of one each tell what it is of all. */
static void mlrq_check_codes(void)
{
    mlrq_input inputs[MLRQ_FEATURES] = {0};
    mlrq_accumulator none[MLRQ_TARGETS], one[MLRQ_TARGETS];

    mlrq_accumulate(inputs, none);
    for (uint32_t target = 0; target < MLRQ_TARGETS; target++)
        equal("mlrq", "intercept", target, 0, none[target], mlrq_true_intercept[target]);
    for (uint32_t feature = 0; feature < MLRQ_FEATURES; feature++) {
        inputs[feature] = 1;
        mlrq_accumulate(inputs, one);
        inputs[feature] = 0;
        for (uint32_t target = 0; target < MLRQ_TARGETS; target++)
            equal("mlrq", "code of feature", target, feature, (int64_t)one[target] - none[target],
                  mlrq_true_code[target][feature]);
    }
}

/* Every accumulator from `first` to `last`. */
static void mlrq_check_each(int64_t first, int64_t last, uint32_t target)
{
    int64_t right = 0;

    for (int64_t at = first; at <= last; at++)
        right += mlrq_is(at, mlrq_exact(at, target), target);
    for (int64_t at = first; right <= last - first && at <= last && mlrq_checked(at, target); at++)
        ;
    one_by_one += (uint64_t)(last - first + 1);
}

/* The first accumulator with output k: the smallest whose magnitude * mantissa is at least this. */
static mlrq_product mlrq_least(int64_t k, uint32_t target)
{
    return ((mlrq_product)(2 * k - 1) << mlrq_true_shift[target]) / 2;
}

static int64_t mlrq_first(int64_t k, uint32_t target)
{
    const mlrq_product mantissa = mlrq_true_mantissa[target];

    return (int64_t)((mlrq_least(k, target) + mantissa - 1) / mantissa);
}

/* Both sides of where outputs step from k - 1 to k, of either sign, for every k from `first` to `last`.
 *
 * From one k to the next mlrq_least grows by 2^shift; `over` is how far the first accumulator is beyond it.
 */
static void mlrq_check_steps(int64_t first, int64_t last, uint32_t target)
{
    enum { LANES = 8 };
    const int64_t mantissa = mlrq_true_mantissa[target], whole = (int64_t)1 << mlrq_true_shift[target];
    const int64_t quotient = whole / mantissa, rest = whole % mantissa, count = (last - first) / LANES + 1;
    int64_t at[LANES], over[LANES], k[LANES], right = 0;

    for (int lane = 0; lane < LANES; lane++) { /* `count` for each: the last lane shares some with others */
        k[lane] = first + lane * count < last - count + 1 ? first + lane * count : last - count + 1;
        at[lane] = mlrq_first(k[lane], target);
        over[lane] = (int64_t)((mlrq_product)at[lane] * (mlrq_product)mantissa - mlrq_least(k[lane], target));
    }
    for (int64_t step = 0; step < count; step++)
        for (int lane = 0; lane < LANES; lane++) {
            const int64_t carry = over[lane] < rest;

            right += mlrq_is(at[lane], k[lane], target) + mlrq_is(at[lane] - 1, k[lane] - 1, target);
            right += mlrq_is(-at[lane], -k[lane], target) + mlrq_is(1 - at[lane], 1 - k[lane], target);
            over[lane] += carry * mantissa - rest;
            at[lane] += quotient + carry;
            k[lane]++;
        }
    for (int64_t step = first; right < 4 * LANES * count && step <= last; step++) {
        const int64_t a = mlrq_first(step, target);

        if (!(mlrq_checked(a, target) && mlrq_checked(a - 1, target) && mlrq_checked(-a, target) &&
              mlrq_checked(1 - a, target)))
            break;
    }
    steps += (uint64_t)(last - first + 1);
}

/* Part `part` of `parts` of what there is to check. */
static void mlrq_check(int64_t part, int64_t parts)
{
    if (part == 0)
        mlrq_check_codes();
    for (uint32_t target = 0; target < MLRQ_TARGETS; target++) {
        const int64_t reach = mlrq_true_reach[target]; /* -1: as another target, which reaches as far */
        const int64_t values = 2 * reach + 1, outputs = mlrq_exact(reach, target);

        if (reach < 0)
            continue;
        if (values <= (int64_t)1 << 32) {
            mlrq_check_each(values * part / parts - reach, values * (part + 1) / parts - reach - 1, target);
            continue;
        }
        mlrq_check_steps(outputs * part / parts + 1, outputs * (part + 1) / parts, target);
        /* The code computes in parts of 30 bits: where the upper one steps, too, and at the ends. */
        for (int64_t upper = part; upper <= reach >> 30; upper += parts)
            for (int64_t at = (upper << 30) - 1; at <= upper << 30; at++)
                if (!(mlrq_checked(at, target) && mlrq_checked(-at, target)))
                    return;
        mlrq_checked(reach, target);
        mlrq_checked(-reach, target);
    }
}
