"""Build the image twice from nothing and compare every file: container/reproduce.py ENGINE."""

import hashlib
import os
import subprocess
import sys
import tarfile
from typing import IO

from check import fail

# Made by the engine for each container, not by the build.
RUNTIME = ("etc/hostname", "etc/hosts", "etc/resolv.conf", "dev/", "proc/", "sys/", "run/", ".dockerenv")


def build(engine: str) -> str:
    """The id of an image built without any cache."""
    base = os.environ.get("PYTHON_IMAGE")
    options = ["--no-cache", "--quiet", *(["--build-arg", f"PYTHON_IMAGE={base}"] if base else [])]
    network = ["--network=host"] if engine.endswith("podman") else []
    done = subprocess.run([engine, "build", *options, *network, "."], capture_output=True, text=True)
    if done.returncode:
        fail(f"{engine} build failed: {done.stderr}")
    return done.stdout.split()[-1]


def content(member: tarfile.TarInfo, archive: tarfile.TarFile) -> str:
    """What makes a file what it is: kind, mode, owner, and its bytes or where it points."""
    stream: IO[bytes] | None = archive.extractfile(member) if member.isfile() else None
    data = hashlib.file_digest(stream, "sha256").hexdigest() if stream else member.linkname
    return f"{member.type!r} {member.mode:o} {member.uid}:{member.gid} {data}"


def files(engine: str, image: str) -> dict[str, str]:
    """Every path of an image and its content."""
    container = subprocess.run([engine, "create", image], capture_output=True, text=True, check=True).stdout
    name = container.strip()
    try:
        with (
            subprocess.Popen([engine, "export", name], stdout=subprocess.PIPE) as exported,
            tarfile.open(fileobj=exported.stdout, mode="r|") as archive,
        ):
            return {
                member.name: content(member, archive)
                for member in archive
                if not member.name.startswith(RUNTIME)
            }
    finally:
        subprocess.run([engine, "rm", name], capture_output=True, check=False)


def main(engine: str) -> None:
    """Build, compare, and name what differs."""
    if not engine:
        fail("no container engine answers; install Docker or Podman, or name one with CONTAINER_ENGINE=")
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    images = [build(engine) for _ in range(2)]
    first, second = (files(engine, image) for image in images)
    subprocess.run([engine, "rmi", *set(images)], capture_output=True, check=False)
    apart = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    if apart:
        fail(f"{len(apart)} files differ between two builds: {', '.join(apart[:5])}")
    print(f"two builds hold the same {len(first):,} files, byte for byte")


if __name__ == "__main__":
    main(sys.argv[1])
