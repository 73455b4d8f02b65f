"""An image that has Python, made from the Python of this machine: no registry is needed."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

from tests.real.docker_engine import DockerEngine
from tests.waiting import within

LEFT_OUT = {"site-packages", "dist-packages", "test", "idlelib", "tkinter", "ensurepip", "lib2to3", "__pycache__"}


def python_image(engine: DockerEngine, tag: str) -> str:
    """Make `tag` and return it."""
    engine.client.api.import_image_from_data(python_root(), repository=tag, changes=["ENV PATH=/usr/bin:/bin"])
    return tag


def python_root() -> bytes:
    """A file system with this machine's Python in it, as a tar archive: `/usr/bin/python3` and what it needs."""
    program = Path(os.path.realpath(sys.executable))
    library = Path(sysconfig.get_path("stdlib"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        for path in sorted({program, *needed(program, *library.glob("lib-dynload/*.so"))}):
            archive.add(path, str(path))
        archive.add(library, str(library), filter=_wanted)
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, str(program)
        archive.addfile(link)
    return buffer.getvalue()


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(entry.name).parts
    left_out = any(part in LEFT_OUT or part.startswith("config-") for part in parts)
    return None if left_out or entry.name.endswith(".a") else entry


def needed(*programs: Path) -> set[Path]:
    """The shared libraries of these, and the loader, where the programs look for them."""
    argv = ["ldd", *map(str, programs)]
    found = subprocess.run(argv, capture_output=True, text=True, timeout=within(60), check=False).stdout
    return {Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", found, re.MULTILINE)}
