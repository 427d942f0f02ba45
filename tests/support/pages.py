"""Pages of documentation: their blocks, and a reader who types the commands and compares what is printed."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from conftest import PROJECT, Outcome, Run, settled

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TABLE = re.compile(r"^\|.*\n\|[ :|-]+\n(?:\|.*\n)+", re.MULTILINE)
PROGRAM = ["python", "-m", "mlrq"]
# Targets of make that are made; of the others, `make -n` must know what it would do.
MADE = {"all", "train", "quantize", "evaluate", "predict", "export", "sweep", "size"}
# How the commands begin that a shell runs, in the reader's folder.
TYPED = {
    "awk",
    "./main",
    "./self_test",
    "cat",
    "cc",
    "cd",
    "cmp",
    "cp",
    "head",
    "ls",
    "mkdir",
    "printf",
    "python",
    "sed",
}


@dataclass(frozen=True)
class Block:
    """What is not prose: `kind` is the language of a fence, or "table"; `line` is where it starts."""

    kind: str
    text: str
    line: int


def blocks(path: Path) -> list[Block]:
    """The fenced blocks and the tables of a page, in order."""
    text = path.read_text()
    found = [(match.start(), match[1], match[2]) for match in FENCE.finditer(text)]
    prose = FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    found += [(match.start(), "table", match[0]) for match in TABLE.finditer(prose)]
    return [Block(kind, body, text.count("\n", 0, start) + 1) for start, kind, body in sorted(found)]


def commands(script: str) -> Iterator[str]:
    """The commands of a shell block: a line each, or several with a backslash or a here-document."""
    lines = iter(script.splitlines())
    for command in lines:
        while command.endswith("\\"):
            command = command[:-1] + next(lines)
        if end := re.search(r"<<'(\w+)'", command):
            for line in lines:
                command += "\n" + line
                if line == end[1]:
                    break
        if words(command):
            yield command


def words(command: str) -> list[str]:
    """The words of a command's first line, redirections apart, without its comment."""
    parser = shlex.shlex(command.partition("\n")[0], posix=True, punctuation_chars="<>|&")
    parser.whitespace_split = True
    return list(parser)


def rows(table: str) -> list[dict[str, str]]:
    """The rows of a Markdown table, by its header."""
    header, _, *lines = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def shows(block: str, printed: str) -> bool:
    """Whether `printed` is what a block shows: `...` alone stands for any lines, and in a line for any text.

    A text of another length moves the columns of its table, so where there is one, spaces do not count.
    """
    lines = [line.rstrip() for line in block.splitlines()]
    if any("..." in line and line != "..." for line in lines):
        lines, printed = [" ".join(line.split()) for line in lines], re.sub(r"(?m)^ +| +(?= )", "", printed)
    wanted = (re.escape(line).replace(r"\.\.\.", ".*") + " *\n" for line in lines)
    pattern = "".join("(?:.*\n)*" if line == ".* *\n" else line for line in wanted)
    return re.fullmatch(pattern, printed) is not None


class Reader:
    """Types the commands of pages in a copy of the checkout, and holds the pages to what they do.

    Args:
        run: `python -m mlrq` in this process, in the current folder.
        not_run: How the commands begin that are not run, and why.
    """

    def __init__(self, run: Run, not_run: dict[str, str]) -> None:
        self._run, self._not_run, self._folder = run, not_run, Path.cwd()
        for path in PROJECT.iterdir():
            if path.name in ("mlrq", "conf"):  # where make looks for sources, it follows no links
                shutil.copytree(path, path.name, ignore=shutil.ignore_patterns("__pycache__"))
            elif path.name not in (".git", ".venv", "outputs"):
                Path(path.name).symlink_to(path)
        Path(".venv").mkdir()  # that make finds up to date, and leaves alone
        for stamp in (".packages", ".ready"):
            Path(".venv", stamp).touch()

    def read(self, page: Path) -> None:
        """Run every block of code; compare every block of text and every table of a sweep with its output."""
        done: Outcome | None = Outcome(0, "", "")
        for block in blocks(page):
            where = f"{page.name}, line {block.line}"
            if block.kind in ("sh", "python"):
                assert done is None or done.code == 0, f"{where}: what came before failed: {done}"
                done = self._python(block) if block.kind == "python" else self._type(block, where)
            elif block.kind == "text" and done is not None:
                printed = (done.out + done.err).replace(f"{self._folder}/", "")
                assert shows(block.text, printed), f"{where}: this was printed:\n{printed}"
                assert ("mlrq: error: " in block.text) == (done.code != 0), where
                done = Outcome(0, done.out, done.err)
            elif block.kind == "table":
                self._require_table(block, where)
        assert done is None or done.code == 0, f"{page.name}: the last block failed: {done}"

    def _type(self, block: Block, where: str) -> Outcome | None:
        """Run a shell block; None where a command of it is not run, so that nothing can be compared."""
        out, err, code, complete = "", "", 0, True
        for command in commands(block.text):
            assert code == 0, f"{where}: failed before {command!r}: {err}"
            done = self._command(command)
            if done is None:
                complete = False
                continue
            out, err, code = out + done.out, err + done.err, done.code
            if stated := re.search(r"# test R2 (-?\d+\.\d+)$", command):
                _, r2 = done.out.rpartition("\n  R2 ")[2].split()[:2]
                assert r2 == stated[1], f"{where}: {command}"
        return Outcome(code, out, err) if complete else None

    def _command(self, command: str) -> Outcome | None:
        typed = words(command)
        if any(command.startswith(start) for start in self._not_run):
            return None
        if typed[:2] == [
            "docker",
            "run",
        ]:  # the image runs what comes after its name, in a folder with the model
            own = typed[typed.index("mlrq") + 1 :]
            return self._program(own or ["evaluate", "save=false"])
        if typed[:3] == PROGRAM:
            return self._program(typed[3:])
        if typed[0] == "make":
            made = MADE.intersection(typed)
            dry = [] if made else ["--dry-run"]
            return self._shell(["make", f"PY={sys.executable}", *dry, *typed[1:]])
        assert typed[0] in TYPED, f"{command!r}: nothing here runs such a command"
        return self._shell(["sh", "-c", command])

    def _program(self, typed: list[str]) -> Outcome:
        """`python -m mlrq` with these words, which may end in redirections."""
        stdin, stdout = "", None
        while len(typed) > 1 and typed[-2] in ("<", ">"):
            *typed, sign, name = typed
            if sign == "<":
                stdin = Path(name).read_text()
            else:
                stdout = Path(name)
        done = self._run(*typed, stdin=stdin)
        if stdout:
            stdout.write_text(done.out)
            return Outcome(done.code, "", done.err)
        return done

    def _shell(self, command: list[str]) -> Outcome:
        """A process whose `python` is the one that runs the tests."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "ARGS", "OUT"))
        }
        environment = inherited | {"PATH": path, "PYTHONPATH": str(PROJECT), "CONTAINER_ENGINE": "false"}
        done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
        return Outcome(done.returncode, done.stdout, settled(done.stderr))

    def _python(self, block: Block) -> Outcome:
        """What a block of Python prints."""
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(block.text, "page", "exec"), {})
        return Outcome(0, printed.getvalue(), "")

    def _require_table(self, block: Block, where: str) -> None:
        """A table with the columns of a sweep's has its rows, if there was a sweep."""
        sweeps = sorted(Path("outputs/sweeps").glob("*/sweep.md"), key=lambda path: path.stat().st_mtime_ns)
        stated = rows(block.text)
        if sweeps and "test R2" in stated[0]:
            made = [{key: row.get(key) for key in stated[0]} for row in rows(sweeps[-1].read_text())]
            assert sorted(stated, key=str) == sorted(made, key=str), where
