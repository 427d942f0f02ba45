"""Cases of a test of which a few are enough for `make test`."""

from collections.abc import Iterable

import pytest
from _pytest.mark.structures import ParameterSet


def others_slow(count: int, cases: Iterable) -> list[ParameterSet]:
    """All `cases`, those after the first `count` marked slow: `make test-all` runs them too."""
    return [
        pytest.param(case, marks=[pytest.mark.slow] if place >= count else [])
        for place, case in enumerate(cases)
    ]
