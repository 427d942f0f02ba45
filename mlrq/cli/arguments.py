"""The command line: flags and overrides apart, each as Hydra takes it, and what is wrong with the flags."""

from dataclasses import dataclass, field

from mlrq.config.limits import MOST_LISTED, TOO_DEEP, nested, too_many
from mlrq.config.schema import STAGES
from mlrq.errors import nearest

# Flag: what it does. Those that Hydra knows go to it.
SWITCHES = {
    "--help": "this text; --help GROUP: the keys of a group",
    "--multirun": "sweep: run every combination of values, and compare them in one table",
    "--run": "run once, which is what happens without it",
    "--verbose": "stack traces",
    "--version": "the version of mlrq",
    "--resolve": "with --cfg: values in place of interpolations",
    "--shell-completion": "completion: eval \"$(mlrq -sc install=bash)\"",
    "--hydra-help": "Hydra's own help",
}  # fmt: skip
VALUED = {
    "--cfg": "job, hydra or all: show the configuration instead of running",
    "--package": "with --cfg: a part of it",
    "--info": "how the configuration is composed",
    "--config-dir": "a folder of more YAML files, which add options",
}
SHORT = {
    "-h": "--help", "-m": "--multirun", "-r": "--run", "-v": "--verbose", "-sc": "--shell-completion",
    "-c": "--cfg", "-p": "--package", "-i": "--info", "-cd": "--config-dir",
}  # fmt: skip
REFUSED = {
    "--config-path": "mlrq has its own configuration; --config-dir adds to it",
    "--config-name": "mlrq has its own configuration; --config-dir adds to it",
    "--experimental-rerun": "it runs the code in a file",
    "-cp": "mlrq has its own configuration; --config-dir adds to it",
    "-cn": "mlrq has its own configuration; --config-dir adds to it",
}
COMMANDS = ("--run", "--multirun", "--cfg", "--info", "--shell-completion", "--hydra-help")
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
CHOICES = {"--cfg": ("job", "hydra", "all"), "--info": INFO}


@dataclass
class CommandLine:
    """What was typed.

    Attributes:
        switches: By their long names.
        values: Of flags that have one, by their long names.
        overrides: In Hydra's grammar; a bare stage has become stage=...
        faults: A line for each flag that is wrong.
    """

    switches: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def command(self) -> str:
        """What to do instead of one run, as a flag; empty for one run."""
        found = [flag for flag in COMMANDS[1:] if flag in self.switches or flag in self.values]
        return found[0] if found else ""

    def for_hydra(self) -> list[str]:
        """All of it, for Hydra's own parser, which takes overrides on one side of its flags only."""
        valued = [f"{flag}={value}" for flag, value in self.values.items()]
        return [*self.switches, *valued, *self.overrides]


def parse(typed: list[str]) -> CommandLine:
    """The flags and the overrides of a command line."""
    line, words = CommandLine(), list(typed)
    while words:
        word = words.pop(0)
        flag, equals, value = word.partition("=")
        flag = SHORT.get(flag, flag)
        if nested(word):
            line.faults.append(f"{flag}: {TOO_DEEP}")
        elif not word.startswith("-") and too_many(",".join([*line.overrides, word])):
            many = f"lists values until they are over {MOST_LISTED:,}"
            line.faults.append(f"{flag}: {many}: range(FIRST,END,STEP) sweeps over more, YAML holds more")
        elif not word.startswith("-"):
            line.overrides.append(f"stage={word}" if word in STAGES else word)
        elif flag in SWITCHES and not equals:
            line.switches.append(flag)
        elif flag in VALUED:
            optional = flag == "--info" and words[:1] not in [[choice] for choice in INFO]
            _valued(line, flag, value if equals else "all" if optional else words.pop(0) if words else None)
        else:
            known = (*SWITCHES, *VALUED)
            why = REFUSED.get(flag) or nearest(flag, known)[2:] or f"mlrq has {', '.join(known)}"
            line.faults.append(f"{flag}: {'refused' if flag in REFUSED else 'no such flag'}; {why}")
    if "--verbose" in line.switches:
        line.switches.remove("--verbose")
        line.overrides.append("hydra.verbose=true")
    _contradictions(line)
    return line


def _valued(line: CommandLine, flag: str, value: str | None) -> None:
    """Note the value of a flag, or what is wrong with it."""
    choices = CHOICES.get(flag)
    if value is None:
        line.faults.append(f"{flag}: needs a value: {VALUED[flag]}")
    elif choices and value not in choices:
        line.faults.append(f"{flag}={value}: must be one of {', '.join(choices)}")
    else:
        line.values[flag] = value


def _contradictions(line: CommandLine) -> None:
    """Note what does not go together."""
    commands = [flag for flag in COMMANDS if flag in line.switches or flag in line.values]
    if len(commands) > 1:
        line.faults.append(f"{' and '.join(commands)}: one at a time")
    if "--resolve" in line.switches and "--cfg" not in line.values:
        line.faults.append("--resolve: only with --cfg")
    if sum(text.startswith("stage=") for text in line.overrides) > 1:
        line.faults.append("stage: one at a time; train, quantize and evaluate together are stage=all")
