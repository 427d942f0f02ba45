"""How a command ends."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mlrq.cli.exits import TERMINATED, terminable


@contextmanager
def closing() -> Iterator[None]:
    try:
        yield
    finally:
        print("closed", file=sys.stderr)


def test_termination_is_said_last(capsys):
    with pytest.raises(SystemExit) as leaving, terminable(), closing():
        os.kill(os.getpid(), signal.SIGTERM)
    assert leaving.value.code == TERMINATED
    assert capsys.readouterr().err == "closed\nmlrq: error: terminated\n"
