"""Compressed files, and an end to what they unpack to."""

import gzip
from typing import Any

# A compressed file of so many bytes may not unpack to more than RATIO times its size: no table does.
BOMB, RATIO = 1 << 30, 200


class Gunzip(gzip.GzipFile):
    """A gzip file, unpacked as it is read. Raises OSError where it unpacks to far more than data do."""

    def read(self, size: int | None = -1) -> bytes:
        """The next `size` bytes."""
        return self._held(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        """Some of the next `size` bytes."""
        return self._held(super().read1(size))

    def _held(self, data: bytes) -> bytes:
        packed: Any = self.fileobj
        if self.tell() > BOMB and self.tell() > RATIO * packed.tell():  # so far
            raise OSError(f"unpacks to over {RATIO} times its size: unpack it first")
        return data
