"""Templates of the C for the columns of a table; see `c_code`."""

INCLUDES = "#include <stdbool.h>\n"
# Of constants and functions that no template below has.
NAMES = "mlrq_number_steps mlrq_number_fill mlrq_times mlrq_place mlrq_is_missing mlrq_table_values"

HEADER = """\
/* ---- A row of the table, as its columns are.

   Below, a value of a column that is none of its enum's counts as the first, and as a column that does not
   fit. */

@ENUMS@/* A row as codes: numbers as input codes, the others as they are. */
typedef struct {
@CELLS@} mlrq_cells;

/* From codes to fixed point, in integers: a column of categories is a look-up. As mlrq_infer for the features
   that the columns become. */
void mlrq_infer_cells(const mlrq_cells *cells, int32_t outputs[MLRQ_TARGETS]);
@INTERVAL@
#ifndef MLRQ_NO_FLOAT
/* A row as it is. */
typedef struct {
@COLUMNS@} mlrq_columns;

/* From a row to codes, numbers as mlrq_quantize does.@MISSING@ Returns how many of the columns
   do not fit: numbers that saturate, or are missing where that was not learned, and values that an enum has
   not or calls unknown. */
int mlrq_quantize_columns(const mlrq_columns *columns, mlrq_cells *cells);

/* From a row to real numbers, equal to Python's, by way of the integer accumulator. Returns what
   mlrq_quantize_columns does. */
int mlrq_predict_columns(const mlrq_columns *columns, float predictions[MLRQ_TARGETS]);
#endif
"""

SOURCE = """\
/* ---- From the columns of the table on. */

@CONSTANTS@@TIMES@@PLACE@static mlrq_accumulator mlrq_sum_cells(const mlrq_cells *cells, uint32_t target)
{
    mlrq_accumulator sum = mlrq_base[target];

@TERMS@    return sum;
}

void mlrq_infer_cells(const mlrq_cells *cells, int32_t outputs[MLRQ_TARGETS])
{
    uint32_t target;

    for (target = 0; target < MLRQ_TARGETS; target++) {
        outputs[target] = mlrq_requantize(mlrq_sum_cells(cells, target), target);
    }
}
@INTERVAL@
#ifndef MLRQ_NO_FLOAT

@IS_MISSING@int mlrq_quantize_columns(const mlrq_columns *columns, mlrq_cells *cells)
{
    int unfit = 0;

@CELLS@    return unfit;
}

int mlrq_predict_columns(const mlrq_columns *columns, float predictions[MLRQ_TARGETS])
{
    mlrq_cells cells;
    const int unfit = mlrq_quantize_columns(columns, &cells);
    uint32_t target;

    for (target = 0; target < MLRQ_TARGETS; target++) {
        float prediction = (float)mlrq_sum_cells(&cells, target) * mlrq_scale[target];
@CLAMP_FLOAT@
        predictions[target] = prediction;
    }
    return unfit;
}

#endif
"""

# Of models with an interval: what is added to the header and to the source.
HEADER_INTERVAL = """
/* Only the sums, as mlrq_accumulate: for mlrq_interval. */
void mlrq_accumulate_cells(const mlrq_cells *cells, mlrq_accumulator accumulators[MLRQ_TARGETS]);
"""

INTERVAL = """
void mlrq_accumulate_cells(const mlrq_cells *cells, mlrq_accumulator accumulators[MLRQ_TARGETS])
{
    uint32_t target;

    for (target = 0; target < MLRQ_TARGETS; target++) {
        accumulators[target] = mlrq_sum_cells(cells, target);
    }
}
"""

TIMES = """\
static int32_t mlrq_times(int32_t step, int32_t code)
{
    return step * code; /* at most 65535 * 32768, below 2^31 */
}

"""

PLACE = """\
/* A value where its table has it, else 0. */
static uint32_t mlrq_place(uint32_t value, uint32_t count)
{
    return (value < count) ? value : 0u;
}

"""

IS_MISSING = """\
static bool mlrq_is_missing(float number)
{
    return (number != number)@NUMBERS@; /* NaN is not itself */
}

"""

NUMBER = """\
@INDENT@    unfit += mlrq_encode(
@INDENT@        columns->@NAME@, mlrq_input_scale[@FEATURE@], mlrq_input_offset[@FEATURE@], &cells->@NAME@);
"""

FILLED = """\
    cells->@NAME@_missing = mlrq_is_missing(columns->@NAME@);
    if (cells->@NAME@_missing) {
        cells->@NAME@ = @CODE@;
    } else {
@NUMBER@    }
"""

LACKING = """\
    if (mlrq_is_missing(columns->@NAME@)) {
        cells->@NAME@ = @CODE@;
        unfit++;
    } else {
@NUMBER@    }
"""

CHECKED = """\
    cells->@NAME@ = columns->@NAME@;
    if ((uint32_t)columns->@NAME@ >= @COUNT@u) {
        unfit++;
    }
"""

SELF_TEST = """\
#define MLRQ_TABLE_ROWS @ROWS@

@ARRAYS@#ifndef MLRQ_NO_FLOAT

@FLOAT_ARRAYS@#endif

static void mlrq_table_cells(uint32_t row, mlrq_cells *cells)
{
@CELLS@}

static unsigned long mlrq_table_test(void)
{
    unsigned long wrong = 0;
    uint32_t row, target;

    for (row = 0; row < MLRQ_TABLE_ROWS; row++) {
        mlrq_cells cells;
        int32_t outputs[MLRQ_TARGETS];

        mlrq_table_cells(row, &cells);
        mlrq_infer_cells(&cells, outputs);
        for (target = 0; target < MLRQ_TARGETS; target++) {
            wrong += outputs[target] != mlrq_table_outputs[row][target];
        }
@INTERVAL@#ifndef MLRQ_NO_FLOAT
        {
            mlrq_columns columns;
            float predictions[MLRQ_TARGETS];

@COLUMNS@            wrong += mlrq_quantize_columns(&columns, &cells) != mlrq_table_unfit[row];
@CODES@            wrong += mlrq_predict_columns(&columns, predictions) != mlrq_table_unfit[row];
            for (target = 0; target < MLRQ_TARGETS; target++) {
                wrong += !(predictions[target] == mlrq_float(mlrq_table_predictions[row][target]));
            }
        }
#endif
    }
    return wrong;
}

"""

TEST_INTERVAL = """\
        {
            mlrq_accumulator accumulators[MLRQ_TARGETS];

            mlrq_accumulate_cells(&cells, accumulators);
            for (target = 0; target < MLRQ_TARGETS; target++) {
                wrong += accumulators[target] != mlrq_table_accumulators[row][target];
            }
        }
"""
