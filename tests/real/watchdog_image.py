"""The project's own image, built by its own Dockerfile on bases made from this machine's Python: no registry is needed.

What the Dockerfile would fetch is given to it in `prebuilt/`: Helm, Compose, and the wheels of the hashed locks.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

import compose
import pip

from tests.real.docker_engine import DockerEngine
from tests.real.python_image import needed, python_root
from tests.real.shop_image import BUSYBOX
from tests.waiting import within

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
HELM = CACHE / "go" / "bin" / "helm4"
TAG = "local.test/deploy-watchdog:0.1.0"
_FILES = ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml")
SOURCES = (*_FILES, "requirements", "rules", "watchdog")
NATIVE = ("cel_expr_python", "pydantic_core", "psycopg_binary")
"""Wheels whose libraries name what the system must have: libstdc++, libgcc."""
UV = Path(sys.executable).parent / "uv"
LOCKS = ("image.txt", "build.txt", "uv.txt")

_LEFT_OUT = shutil.ignore_patterns("__pycache__")


def archive() -> Path:
    """The image as `docker save` writes it, built once until something that it is made of changes."""
    made_of = hashlib.sha256(HELM.name.encode())
    for path in sorted(p for name in SOURCES for p in _files(ROOT / name)):
        made_of.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    found = CACHE / f"image-{made_of.hexdigest()[:12]}.tar"
    with (CACHE / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests of another process may want it too
        if not found.exists():
            _make(found)
    return found


def _make(found: Path) -> None:
    engine, part = DockerEngine(), found.with_suffix(".part")
    with tempfile.TemporaryDirectory() as folder:
        try:
            engine.start()
            _build(engine, Path(folder))
            engine.docker("save", TAG, "-o", str(part))
        finally:
            engine.remove()
    for old in CACHE.glob("image-*.tar"):
        old.unlink()
    part.rename(found)


def _files(path: Path) -> list[Path]:
    return [p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts] if path.is_dir() else [path]


def _build(engine: DockerEngine, folder: Path) -> None:
    """As `docker build` does; `folder` is for the build's context."""
    _base(engine, "base-build:1", build=True)
    _base(engine, "base-runtime:1", build=False)
    context = _context(folder / "context")
    bases = {"BASE_GO": "base-build:1", "BASE_BUILD": "base-build:1", "BASE_RUNTIME": "base-runtime:1"}
    arguments = [f"--build-arg={name}={value}" for name, value in {**bases, "PIP_NO_INDEX": "1"}.items()]
    words = ("build", "--network", "host", "-t", TAG, *arguments, str(context))
    engine.docker(*words, env={"DOCKER_BUILDKIT": "0"}, timeout=within(120))


def _context(folder: Path) -> Path:
    """What a checkout holds, and what would be fetched."""
    prebuilt = folder / "prebuilt"
    prebuilt.mkdir(parents=True)
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=_LEFT_OUT)
        else:
            shutil.copy2(source, folder / name)
    shutil.copy2(HELM, prebuilt / "helm")
    shutil.copy2(Path(compose.__file__).parent / "docker-compose", prebuilt / "docker-compose")
    shutil.copytree(_wheels(), prebuilt / "wheels")
    return folder


def _wheels() -> Path:
    """The wheels of the locks, hashes checked; kept until a lock changes."""
    locks = [ROOT / "requirements" / name for name in LOCKS]
    found = CACHE / f"wheels-{hashlib.sha256(b''.join(lock.read_bytes() for lock in locks)).hexdigest()[:12]}"
    if found.exists():
        return found
    part = found.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    for lock in locks:
        download = ("download", "-q", "--disable-pip-version-check", "--require-hashes", "--no-deps")
        argv = [sys.executable, "-m", "pip", *download, "-r", str(lock), "-d", str(part)]
        subprocess.run(argv, check=True, timeout=within(120))
    for old in CACHE.glob("wheels-*[!t]"):
        shutil.rmtree(old)
    part.rename(found)
    return found


def _base(engine: DockerEngine, tag: str, *, build: bool) -> None:
    """A base image: this machine's Python and what native wheels need; to build with, a shell and pip too."""
    program = Path(sys.executable).resolve()
    path = f"{program.parent}:/usr/local/bin:/usr/bin:/bin"
    native = (Path(sysconfig.get_path("platlib")) / name for name in NATIVE)
    wheels = [library for folder in native for library in folder.rglob("*.so")]
    data = python_root()
    with io.BytesIO(data) as source, tarfile.open(fileobj=source) as made:
        names = set(made.getnames())
    buffer = io.BytesIO(data)
    with tarfile.open(fileobj=buffer, mode="a", dereference=True) as archive:
        for library in sorted(needed(*wheels, *([UV] if build and UV.exists() else []))):
            if str(library).lstrip("/") not in names:
                archive.add(library, str(library))
        _link(archive, program.parent / "python3", program.name)
        _folder(archive, "tmp", 0o1777)
        if build:
            _shell(archive)
            archive.add(Path(pip.__file__).parent, f"{sysconfig.get_path('stdlib')}/pip", filter=_no_cache)
    engine.client.api.import_image_from_data(buffer.getvalue(), repository=tag, changes=[f"ENV PATH={path}"])


def _shell(archive: tarfile.TarFile, programs: Iterable[str] = ("sh", "cp", "rm", "mkdir", "find")) -> None:
    archive.add(BUSYBOX, "bin/busybox")
    for name in programs:
        _link(archive, Path("bin") / name, "busybox")


def _link(archive: tarfile.TarFile, path: Path, target: str) -> None:
    entry = tarfile.TarInfo(str(path).lstrip("/"))
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)


def _folder(archive: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    archive.addfile(entry)


def _no_cache(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry


if __name__ == "__main__":  # `make test` builds it beside other tests, which take it from the cache then
    print(archive())
