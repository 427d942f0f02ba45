"""What a check finds, and how it runs its tools."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """What a check says.

    Attributes:
        told: What was shown, in a line.
        faults: A line for each.
        missing: The tool without which it did not run.
    """

    told: str = ""
    faults: tuple[str, ...] = ()
    missing: str | None = None


def run(*command: str | Path, folder: Path) -> tuple[int, str]:
    """Exit code, and all that the command prints."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout
