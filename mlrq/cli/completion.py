"""Completion in the shell: Hydra's, of groups and keys, and our stages."""

import os
import sys
from collections.abc import Sequence

from mlrq.cli.arguments import parse
from mlrq.config.composition import SEARCH_PATH, folders
from mlrq.config.schema import STAGES
from mlrq.errors import ConfigError


def complete_stages(asked: Sequence[str]) -> None:
    """Print the stages that may complete the word being typed, and leave Hydra a line that it understands.

    Args:
        asked: What the flag of completion is given; `query=SHELL` asks for words.

    Raises:
        SystemExit: If Hydra would import what a search path names to complete it, or read YAML without end.
    """
    if not any(text.startswith("query=") for text in asked):
        return
    line = os.environ.get("COMP_LINE", "")
    if SEARCH_PATH in line:
        sys.exit()
    program, *words = line.split() or ["mlrq"]
    typing = "" if line.endswith(" ") or not words else words.pop()
    understood = parse(words)
    try:
        folders(understood.values.get("--config-dir"), [])
    except ConfigError:
        sys.exit()
    os.environ["COMP_LINE"] = " ".join([program, *understood.for_hydra(), typing])
    if not any(text.startswith("stage=") for text in understood.overrides):
        print(*(stage for stage in STAGES if stage.startswith(typing)), sep="\n")
