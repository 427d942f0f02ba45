"""<prefix>_self_test.c: golden vectors, and a program that holds the C to them on the machine it runs on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrq.export.c_code import filled
from mlrq.export.c_text import constant
from mlrq.export.fixed_point import FixedPoint
from mlrq.export.golden import edge_codes, edge_rows, random_codes, random_rows
from mlrq.quantization.inputs import InputGrid
from mlrq.quantization.model import QuantizedLinear

SELF_TEST = """\
#include "mlrq.h"

#define MLRQ_VECTORS @VECTORS@

@VECTOR_ARRAYS@#ifndef MLRQ_NO_FLOAT

#define MLRQ_ROWS @ROWS@

@ROW_ARRAYS@static float mlrq_float(uint32_t bits)
{
    union {
        uint32_t bits;
        float value;
    } both;

    both.bits = bits;
    return both.value;
}

#endif

@TABLE@/* How many of the numbers computed here are not those that Python computed. */
unsigned long mlrq_self_test(void);

unsigned long mlrq_self_test(void)
{
    unsigned long wrong = 0;
    uint32_t vector, target;

    for (vector = 0; vector < MLRQ_VECTORS; vector++) {
        mlrq_accumulator accumulators[MLRQ_TARGETS];
        int32_t outputs[MLRQ_TARGETS];

        mlrq_accumulate(mlrq_vector_inputs[vector], accumulators);
        mlrq_infer(mlrq_vector_inputs[vector], outputs);
        for (target = 0; target < MLRQ_TARGETS; target++) {
            wrong += accumulators[target] != mlrq_vector_accumulators[vector][target];
            wrong += outputs[target] != mlrq_vector_outputs[vector][target];
        }
@INTERVAL@    }
#ifndef MLRQ_NO_FLOAT
    for (vector = 0; vector < MLRQ_ROWS; vector++) {
        float features[MLRQ_FEATURES];
        float predictions[MLRQ_TARGETS];
        mlrq_input inputs[MLRQ_FEATURES];
        uint32_t feature;

        for (feature = 0; feature < MLRQ_FEATURES; feature++) {
            features[feature] = mlrq_float(mlrq_row_features[vector][feature]);
        }
        wrong += mlrq_quantize(features, inputs) != mlrq_row_saturated[vector];
        for (feature = 0; feature < MLRQ_FEATURES; feature++) {
            wrong += inputs[feature] != mlrq_row_inputs[vector][feature];
        }
        wrong += mlrq_predict(features, predictions) != mlrq_row_saturated[vector];
        for (target = 0; target < MLRQ_TARGETS; target++) {
            wrong += !(predictions[target] == mlrq_float(mlrq_row_predictions[vector][target]));
        }
@INTERVAL_FLOAT@    }
#endif
@TABLE_TEST@    return wrong;
}

#ifndef MLRQ_NO_MAIN

#include <stdio.h>

int main(void)
{
    const unsigned long wrong = mlrq_self_test();

    printf("mlrq_self_test: %lu differ from Python\\n", wrong);
    return wrong != 0;
}

#endif
"""

INTERVAL = """\
        {
            int32_t high[MLRQ_TARGETS];

            mlrq_interval(accumulators, outputs, high);
            for (target = 0; target < MLRQ_TARGETS; target++) {
                wrong += outputs[target] != mlrq_vector_low[vector][target];
                wrong += high[target] != mlrq_vector_high[vector][target];
            }
        }
"""

INTERVAL_FLOAT = """\
        {
            mlrq_accumulator accumulators[MLRQ_TARGETS];
            float high[MLRQ_TARGETS];

            mlrq_accumulate(inputs, accumulators);
            mlrq_interval_f(accumulators, predictions, high);
            for (target = 0; target < MLRQ_TARGETS; target++) {
                wrong += !(predictions[target] == mlrq_float(mlrq_row_low[vector][target]));
                wrong += !(high[target] == mlrq_float(mlrq_row_high[vector][target]));
            }
        }
"""


def _bits(values: NDArray[np.float32]) -> list[list[str]]:
    return [[f"0x{bits:08x}" for bits in line] for line in values.view(np.uint32).tolist()]


def self_test(
    model: QuantizedLinear, inputs: InputGrid, fixed: FixedPoint, vectors: int, table: str = ""
) -> str:
    """The text, with `vectors` random inputs beside those at the edges, of integers and of floats.

    `table` is the part that starts from the columns of a table; see `c_columns_test`.
    """
    codes = np.concatenate([edge_codes(model, inputs), random_codes(model, inputs, vectors)])
    rows = np.concatenate([edge_rows(inputs), random_rows(inputs, vectors)])
    accumulators = model.accumulators(codes)
    wide = rows.astype(np.float64)
    with np.errstate(over="ignore"):
        predictions = model.predict(wide).astype(np.float32)

    def arrays(*tables: tuple[str, str, list[list[Any]]]) -> str:
        return "".join(constant(about, declaration, table) for about, declaration, table in tables)

    return filled(
        SELF_TEST,
        TABLE=table,
        TABLE_TEST="    wrong += mlrq_table_test();\n" if table else "",
        VECTORS=len(codes),
        VECTOR_ARRAYS=arrays(
            (
                "Input codes: the edges first, then anything.",
                "mlrq_input mlrq_vector_inputs[MLRQ_VECTORS][MLRQ_FEATURES]",
                codes.tolist(),
            ),
            (
                "Their accumulators, from Python.",
                "mlrq_accumulator mlrq_vector_accumulators[MLRQ_VECTORS][MLRQ_TARGETS]",
                accumulators.tolist(),
            ),
            (
                "Their outputs, from Python.",
                "int32_t mlrq_vector_outputs[MLRQ_VECTORS][MLRQ_TARGETS]",
                fixed.outputs(accumulators).tolist(),
            ),
            *(
                (
                    f"The {end} ends of their intervals, from Python.",
                    f"int32_t mlrq_vector_{end}[MLRQ_VECTORS][MLRQ_TARGETS]",
                    fixed.outputs(sums).tolist(),
                )
                for end, sums in _moved(model, accumulators)
            ),
        ),
        INTERVAL=INTERVAL if model.interval else "",
        INTERVAL_FLOAT=INTERVAL_FLOAT if model.interval else "",
        ROWS=len(rows),
        ROW_ARRAYS=arrays(
            (
                "Features as the bits of a float, for it has numbers that C cannot write: range ends, ties, "
                "subnormals, infinities, NaN.",
                "uint32_t mlrq_row_features[MLRQ_ROWS][MLRQ_FEATURES]",
                _bits(rows),
            ),
            (
                "Their input codes, from Python.",
                "mlrq_input mlrq_row_inputs[MLRQ_ROWS][MLRQ_FEATURES]",
                inputs.encode(wide).tolist(),
            ),
            (
                "How many of their features saturate, from Python.",
                "int mlrq_row_saturated[MLRQ_ROWS]",
                inputs.beyond(wide).sum(axis=1).tolist(),
            ),
            (
                "Their predictions, from Python, as the bits of a float.",
                "uint32_t mlrq_row_predictions[MLRQ_ROWS][MLRQ_TARGETS]",
                _bits(predictions),
            ),
            *(
                (
                    f"The {end} ends of their intervals, from Python, as the bits of a float.",
                    f"uint32_t mlrq_row_{end}[MLRQ_ROWS][MLRQ_TARGETS]",
                    _bits(values.astype(np.float32)),
                )
                for end, values in _ends(model, wide)
            ),
        ),
    )


def _moved(model: QuantizedLinear, accumulators: NDArray[Any]) -> list[tuple[str, NDArray[np.int64]]]:
    """Accumulators less and more the half-width; none without an interval."""
    if model.interval is None:
        return []
    sums, half = accumulators.astype(np.int64), model.interval.half_width.astype(np.int64)
    return [("low", sums - half), ("high", sums + half)]


def _ends(model: QuantizedLinear, rows: NDArray[np.float64]) -> list[tuple[str, NDArray[np.float64]]]:
    """Low and high ends of the intervals; none without one."""
    with np.errstate(over="ignore"):
        return list(zip(("low", "high"), model.ends(rows), strict=True)) if model.interval else []
