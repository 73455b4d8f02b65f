"""Container images for the tests' cluster, as docker-archive files made on the spot: no registry is needed.

`local.test/pause:1`, the sandbox, is busybox. `local.test/service:1` and `:2` are the demo's service on this machine's
Python: good, or bad as FAULT says.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import watchdog.demo.service
from tests.real.python_image import python_root
from tests.real.shop_image import BUSYBOX

SERVICE = ("local.test/service:1", "local.test/service:2")


def write_images(folder: Path) -> None:
    """Write the archives that are not there yet; they are imported when a cluster starts."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several clusters may start at once
        _write(folder)


def _write(folder: Path) -> None:
    if not (folder / "pause.tar").exists():
        program = {"bin/busybox": BUSYBOX.read_bytes()}
        _archive(
            folder / "pause.tar",
            ["local.test/pause:1"],
            [_layer(program)],
            {"Cmd": ["/bin/busybox", "sleep", "infinity"]},
        )
    source = Path(watchdog.demo.service.__file__).read_bytes()
    service = folder / f"service-{hashlib.sha256(source).hexdigest()[:12]}.tar"
    if service.exists():
        return
    for old in folder.glob("service-*.tar"):
        old.unlink()
    config = {
        "Cmd": ["/usr/bin/python3", "/service.py", "--host", "0.0.0.0", "--port", "8080"],
        "Env": ["PATH=/usr/bin:/bin", "PYTHONUNBUFFERED=1"],
    }
    _archive(
        service, SERVICE, [python_root(), _layer({"service.py": source, "bin/busybox": BUSYBOX.read_bytes()})], config
    )


def _layer(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0o755, len(data)
            archive.addfile(entry, io.BytesIO(data))
        tmp = tarfile.TarInfo("tmp")
        tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(tmp)
    return buffer.getvalue()


def _archive(path: Path, tags: Iterable[str], layers: list[bytes], config: Mapping[str, object]) -> None:
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    described = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"WorkingDir": "/", **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }
    document = json.dumps(described, sort_keys=True).encode()
    name = f"{hashlib.sha256(document).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": list(tags), "Layers": [f"{digest}/layer.tar" for digest in digests]}]
    parts = {name: document, "manifest.json": json.dumps(manifest).encode()}
    parts |= {f"{digest}/layer.tar": layer for digest, layer in zip(digests, layers, strict=True)}
    unfinished = path.with_suffix(".part")
    with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as archive:
        for part, data in parts.items():
            entry = tarfile.TarInfo(part)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    unfinished.replace(path)
