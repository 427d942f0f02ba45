"""Best codes by SCIP, for `benchmarks/solvers.py --scip`; run by a Python that has pyscipopt.

Standard input is a JSON object with the triangle, the column, low, high, whether the box slides, and the
seconds that SCIP may take; standard output is one with the codes, the lower bound and the seconds.
"""

import json
import sys

from pyscipopt import Model, quicksum


def main() -> None:
    """Solve one problem."""
    told = json.load(sys.stdin)
    triangle, column, low, high = told["triangle"], told["column"], told["low"], told["high"]
    size, width = len(column), high - low
    model = Model()
    model.hideOutput()
    model.setParam("limits/time", told["seconds"])
    scale = model.addVar("scale", lb=0.0, ub=None)
    bottom, top = (-width, width) if told["sliding"] else (low, high)
    codes = [model.addVar(f"p{i}", vtype="I", lb=bottom, ub=top) for i in range(size)]
    if told["sliding"]:
        zero = model.addVar("zero", vtype="I", lb=-width, ub=0)
        for code in codes:
            model.addCons(code >= zero)
            model.addCons(code <= zero + width)
    weights = [model.addVar(f"w{i}", lb=None, ub=None) for i in range(size)]
    for code, weight in zip(codes, weights, strict=True):
        model.addCons(weight == scale * code)
    excess = model.addVar("excess", lb=0.0)
    rows = []
    for i in range(size):
        row = model.addVar(f"r{i}", lb=None, ub=None)
        model.addCons(row == column[i] - quicksum(triangle[i][j] * weights[j] for j in range(i, size)))
        rows.append(row)
    model.addCons(excess >= quicksum(row * row for row in rows))
    model.setObjective(excess, "minimize")
    model.optimize()
    found = [round(model.getVal(code)) for code in codes] if model.getNSols() else []
    optimal = model.getStatus() == "optimal"
    answer = {"codes": found, "bound": model.getDualbound(), "seconds": model.getSolvingTime()}
    print(json.dumps(answer | {"optimal": optimal, "nodes": model.getNTotalNodes()}))


if __name__ == "__main__":
    main()
