"""Signs of life: one line that fits, lines in a log, nothing for what is quick, and nothing garbled."""

import io
import os
import re
import threading

import pytest
from support.processes import HANG

from mlrq.cli import progress as module
from mlrq.cli.progress import LOG_INTERVAL, WIPE, Progress, Rows, describe, duration
from mlrq.datasets.parts import Part


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def screen(text):
    """The lines that a terminal shows of `text`, which returns and erases."""
    lines = [""]
    for piece in re.findall(r"\r\033\[K|\n|[^\r\033\n]+", text):
        lines[-1:] = {"\n": [lines[-1], ""], WIPE: [""]}.get(piece, [lines[-1] + piece])
    return lines


PARTS = [Part("f", i, 0, rows, None) for i, rows in enumerate((1_000_000, 2_000_000, 7_000_000))]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (200, "Reading the dataset: 12,000,000 of 40,000,000 rows, 4,000,000 rows/s, 7 s left"),
        (79, "Reading the dataset: 12,000,000 of 40,000,000 rows, 4,000,000 rows/s, 7 s left"),
        (78, "Reading the dataset: 12,000,000 of 40,000,000 rows, 7 s left"),
        (60, "Reading the dataset, 7 s left"),
        (20, "Reading the dataset"),
        (10, "Reading t"),
    ],
)
def test_a_line_says_how_far_how_fast_and_how_long_and_never_wraps(width, line):
    rows = Rows(start=10.0, done=12_000_000, total=40_000_000)
    assert describe("Reading the dataset", 9.0, rows, 13.0, width) == line
    assert len(line) < width


def test_what_is_not_known_is_not_said():
    assert describe("Fitting", 10.0, None, 22.4, 80) == "Fitting ... 12 s"
    assert describe("Predicting", 0.0, Rows(0.0, 3000), 2.0, 80) == "Predicting: 3,000 rows, 1,500 rows/s"
    assert describe("Evaluating", 0.0, Rows(5.0, 0, 9), 6.0, 80) == "Evaluating: 0 of 9 rows"
    assert describe("Evaluating", 0.0, Rows(5.0, 9, 9, 2), 5.0, 80) == "Evaluating, pass 2: 9 of 9 rows"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3600 * 30 + 65, "30 h 1 min")],
)
def test_durations_are_in_units_of_their_size(seconds, text):
    assert duration(seconds) == text


def test_an_engine_is_watched_pass_after_pass_and_gives_the_same_results():
    clock, terminal = Clock(), Terminal()
    progress = Progress(terminal, clock)
    shown = []

    def work(part):
        clock.now += 1.0
        return part.group

    with progress.activity("Quantizing"):
        for _ in range(2):
            found = []
            for result in progress.watched(map)(work, PARTS):
                found.append(result)
                progress.show()
                shown.append(screen(terminal.getvalue())[-1])
            assert found == [0, 1, 2]
        progress.show()
        assert screen(terminal.getvalue()) == ["Quantizing ... 6 s"]  # the pass is over, the activity is not
    assert shown == [
        "Quantizing: 1,000,000 of 10,000,000 rows, 1,000,000 rows/s, 9 s left",
        "Quantizing: 3,000,000 of 10,000,000 rows, 1,500,000 rows/s, 5 s left",
        "Quantizing: 10,000,000 of 10,000,000 rows, 3,333,333 rows/s, 0 s left",
        "Quantizing, pass 2: 1,000,000 of 10,000,000 rows, 1,000,000 rows/s, 9 s left",
        "Quantizing, pass 2: 3,000,000 of 10,000,000 rows, 1,500,000 rows/s, 5 s left",
        "Quantizing, pass 2: 10,000,000 of 10,000,000 rows, 3,333,333 rows/s, 0 s left",
    ]
    assert screen(terminal.getvalue()) == [""]


def test_what_is_said_meanwhile_has_a_line_of_its_own():
    terminal = Terminal()
    progress = Progress(terminal, Clock())
    with progress.activity("Fitting"):
        progress.show()
        progress.aside(lambda text: print(text, file=terminal))("note: three features are constant")
        progress.show()
        assert screen(terminal.getvalue()) == ["note: three features are constant", "Fitting ... 0 s"]
    assert screen(terminal.getvalue()) == ["note: three features are constant", ""]


def test_without_a_terminal_there_is_a_line_now_and_then_and_only_with_news():
    clock, log = Clock(), io.StringIO()
    progress = Progress(log, clock)
    with progress.activity("Predicting"):
        progress.show()
        for done, wait in ((100, 5), (200, 5), (250, 15)):
            progress.count(done)
            progress.show()  # too soon
            clock.now += wait
            progress.show()
            clock.now += 0.1
            progress.show()  # nothing new
            clock.now -= 0.1
        clock.now += LOG_INTERVAL
        progress.show()  # nor here
    assert log.getvalue().splitlines() == [
        "Predicting ...",
        "Predicting: 100 rows, 20 rows/s",
        "Predicting: 200 rows, 20 rows/s",
        "Predicting: 250 rows, 10 rows/s",
    ]


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_what_ends_before_the_first_sign_is_due_leaves_no_trace(monkeypatch, stream):
    monkeypatch.setattr(module, "PATIENCE", HANG)
    shown, before = stream(), threading.active_count()
    progress = Progress(shown)
    with progress.activity("Reading the dataset"):
        assert list(progress.watched(map)(lambda part: part.rows, PARTS)) == [part.rows for part in PARTS]
    assert shown.getvalue() == ""
    assert threading.active_count() == before


def test_what_lasts_is_drawn_again_and_again_without_being_asked(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    monkeypatch.setattr(module, "FRAME", 0.0)
    drawn = threading.Semaphore(0)

    class Watched(Terminal):
        def write(self, text):
            drawn.release()
            return super().write(text)

    terminal, before = Watched(), threading.active_count()
    progress = Progress(terminal, Clock())
    with progress.activity("Reading the dataset"):
        for _ in range(3):
            assert drawn.acquire(timeout=HANG)
    assert terminal.getvalue().count("Reading the dataset ... 0 s") >= 3
    assert screen(terminal.getvalue()) == [""]
    assert threading.active_count() == before


def test_on_a_terminal_one_line_is_drawn_over_and_taken_away(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", HANG)  # drawn when this test says so
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals on this system")
    try:
        ours, theirs = pty.openpty()
    except OSError as error:
        pytest.skip(f"no pseudo-terminal is left: {error}")
    clock, text = Clock(), b""
    with os.fdopen(theirs, "w") as terminal:
        progress = Progress(terminal, clock)
        with progress.activity("Reading the dataset"):
            for done in (1000, 2000, 6000):
                clock.now += 1.0
                progress.count(done)
                progress.show()
        while text.count(WIPE.encode()) < 4:
            text += os.read(ours, 1000)
    os.close(ours)
    lines = [piece.decode() for piece in text.split(WIPE.encode())]
    assert lines == [
        "",
        "Reading the dataset: 1,000 rows, 1,000 rows/s",
        "Reading the dataset: 2,000 rows, 1,000 rows/s",
        "Reading the dataset: 6,000 rows, 2,000 rows/s",
        "",
    ]
