"""Compiles the C files of `mlrq/kernel` when mlrq is built or installed; NumPy stands in where that fails."""

import importlib.util
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelHook(BuildHookInterface):
    """See the module."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, in place; a wheel with the library in it is for this platform, but for any Python."""
        place = Path(self.root) / "mlrq" / "kernel" / "build.py"
        spec = importlib.util.spec_from_file_location("build", place)
        assert spec
        assert spec.loader
        build = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(build)
        if why := build.build():
            self.app.display_warning(f"the C files were not compiled, and NumPy stands in for them: {why}")
            with suppress(OSError):
                build.LIBRARY.unlink()  # of another machine, or of another source
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["artifacts"].append(str(build.LIBRARY.relative_to(self.root)))
