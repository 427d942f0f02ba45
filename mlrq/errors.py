"""The one exception that a user is meant to see, and its kinds."""


class MlrqError(Exception):
    """Something that the user can put right: its text is one line that says what, where and how."""


class DataError(MlrqError):
    """Data that are damaged, not usable as numbers, or not what they were; nothing else is at fault."""


class ConfigError(MlrqError):
    """A configuration with one or more faults, all of them listed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults
