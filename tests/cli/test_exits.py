"""How a command ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mlrq.cli import signals
from mlrq.cli.exits import explained, reason

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def closing() -> Iterator[None]:
    try:
        yield
    finally:
        print("closed", file=sys.stderr)


@pytest.fixture
def heeded(monkeypatch):
    """The signals as the command line heeds them."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(signals, "_received", None)
    signals.heed()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", NUMBERS)
def test_what_ended_a_command_is_said_last(heeded, capsys, number):
    with pytest.raises(SystemExit) as leaving, explained(), closing():
        os.kill(os.getpid(), number)
    assert leaving.value.code == 128 + number
    line = f"mlrq: error: {signals.WORDS[number]}; what was written before is whole\n"
    assert capsys.readouterr().err == "closed\n" + line


class Deaf:
    """Its end lets no exception through."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_signal_that_python_lost_comes_again(heeded, capsys):
    with pytest.raises(SystemExit) as leaving, explained():
        time.sleep(60 + bool(Deaf()))
    assert leaving.value.code == 130
    assert capsys.readouterr().err == "mlrq: error: interrupted; what was written before is whole\n"


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_an_interrupt_that_is_ignored_stays_ignored(heeded):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals.heed()
    os.kill(os.getpid(), signal.SIGINT)
    assert signals.received() is None


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError(12, "Cannot allocate memory"),
        ImportError("a.so: failed to map segment from shared object"),
        ImportError(
            "\nREAD THIS\n\nOriginal error was: libx.so: cannot allocate memory in static TLS block\n"
        ),
        RuntimeError("std::bad_alloc"),
        caused(ValueError("a table cannot be read"), MemoryError()),
    ],
    ids=repr,
)
def test_what_others_say_without_memory_is_said_as_that(error):
    assert reason(error).startswith("out of memory: ")
    assert len(reason(error).splitlines()) == 1


def test_other_errors_are_not_for_lack_of_memory():
    assert reason(OSError(2, "No such file or directory", "a")) == "a: No such file or directory"
    assert "a fault of mlrq" in reason(caused(ValueError("x"), KeyError("y")))


def test_a_signal_that_is_put_off_comes_when_the_block_has_ended():
    """As one that comes while onnx is imported, whose C++ would abort at an exception."""
    code = """
import signal
import subprocess
from mlrq.cli import signals
signals.heed()
try:
    with signals.put_off():
        signal.raise_signal(signal.SIGTERM)
        print("to the end")
    print("not reached")
except signals.Ended:
    print(signals.received().name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "to the end\nSIGTERM\n"
