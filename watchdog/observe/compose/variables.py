"""Works out the shell variables of a deploy by matching a Compose file as written against what runs.

Pure. `image: ${API_IMAGE:-shop:1}` beside a container made from `shop:2` says API_IMAGE=shop:2. The answer is a guess
until the config it gives has the running containers' hashes: whoever asks must prove it.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchdog.compose.engine import LABEL, Container
from watchdog.observe.compose.template import Answer, match

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
CANDIDATES = 4
"""How many answers are given at most, the likeliest first: each costs its reader a run of Compose."""


@dataclass(frozen=True)
class _Either:
    """An entry of a list that a file may write as a string or as a mapping, in any order."""

    short: tuple[str, ...]
    long: Mapping[str, Any]


def solve(template: Mapping[str, Any], running: Mapping[str, Sequence[Container]], directory: str) -> list[Answer]:
    """The likeliest variables of a deploy, best first, at most `CANDIDATES`.

    `template`: the config as `config --no-interpolate` gives it. `running`: service → its newest containers.
    """
    clear: Counter[tuple[str, str]] = Counter()
    unclear: list[list[Answer]] = []
    for service, containers in running.items():
        body = (template.get("services") or {}).get(service)
        if isinstance(body, Mapping) and containers:
            for answers in _answers(body, containers, directory):
                if len(answers) == 1:
                    clear.update(answers[0].items())
                elif answers:
                    unclear.append(answers)
    best: Answer = {}
    for (name, value), _ in clear.most_common():
        best.setdefault(name, value)
    candidates = [best]
    for answers in unclear:
        fitting = [a for a in answers if all(best.get(name, value) == value for name, value in a.items())] or answers
        candidates = [{**answer, **candidate} for candidate in candidates for answer in fitting][:CANDIDATES]
    return [c for i, c in enumerate(candidates) if c not in candidates[:i]]


def _answers(body: Mapping[str, Any], containers: Sequence[Container], directory: str) -> Iterator[list[Answer]]:
    """One list of possible answers for each string of the service that has variables and can be compared."""
    newest = containers[-1]
    for name, value in _passed_through(body, newest):
        yield [{name: value}]
    for written, options in _pairs(body, _observed(newest, len(containers), directory)):
        if "$" not in written:
            continue
        found = [answer for actual in options for answer in match(written, actual)]
        unset = [answer for answer in found if not answer]
        yield unset or [a for i, a in enumerate(found) if a not in found[:i]]


def _passed_through(body: Mapping[str, Any], container: Container) -> Iterator[tuple[str, str]]:
    """`environment: [TOKEN]` hands a shell variable on under its own name."""
    environment = body.get("environment")
    if isinstance(environment, Mapping):
        names = [name for name, value in environment.items() if value is None]
    else:
        names = [entry for entry in environment or () if isinstance(entry, str) and "=" not in entry]
    for name in names:
        if name in container.environment and _NAME.fullmatch(name) is not None:
            yield name, container.environment[name]


def _pairs(written: Any, observed: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Strings as written beside what they may have become, wherever both sides have the same shape."""
    if isinstance(observed, Mapping):
        if isinstance(written, Sequence) and not isinstance(written, str):
            written = dict(entry.partition("=")[::2] for entry in written if isinstance(entry, str))
        if isinstance(written, Mapping):
            for key, value in written.items():
                if key in observed:
                    yield from _pairs(value, observed[key])
    elif isinstance(observed, list):
        yield from _list_pairs(written, observed)
    elif isinstance(written, str):
        yield written, observed if isinstance(observed, tuple) else (str(observed),)


def _list_pairs(written: Any, observed: list[Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(written, str):
        try:
            written = shlex.split(written)
        except ValueError:
            return
    if not isinstance(written, Sequence):
        return
    if observed and isinstance(observed[0], _Either):
        for entry in written:
            yield from _either_pairs(entry, observed)
    elif len(written) == len(observed):
        for one, other in zip(written, observed, strict=True):
            yield from _pairs(one, other)


def _either_pairs(written: Any, observed: Sequence[_Either]) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(written, str):
        yield written, tuple(short for either in observed for short in either.short)
    elif isinstance(written, Mapping):
        for either in observed:
            if str(written.get("target")) == either.long["target"]:
                yield from _pairs(written, either.long)


def _observed(container: Container, scale: int, directory: str) -> dict[str, Any]:
    """What runs, in the shape of a service of a Compose file. Tuples are ways to write the same."""
    config = container.config.get("Config") or {}
    host = container.config.get("HostConfig") or {}
    logging = host.get("LogConfig") or {}
    cpus = f"{(host.get('NanoCpus') or 0) / 1e9:g}"
    memory = str(host.get("Memory") or "")
    command, entrypoint = config.get("Cmd") or [], config.get("Entrypoint") or []
    return {
        "image": container.image_name,
        "environment": container.environment,
        "labels": {k: v for k, v in container.labels.items() if not k.startswith(LABEL)},
        "command": command,
        "entrypoint": entrypoint,
        "user": config.get("User") or "",
        "working_dir": config.get("WorkingDir") or "",
        "hostname": config.get("Hostname") or "",
        "container_name": container.name,
        "restart": container.restart_policy,
        "network_mode": host.get("NetworkMode") or "",
        "healthcheck": {"test": (config.get("Healthcheck") or {}).get("Test") or []},
        "stop_grace_period": f"{config.get('StopTimeout') or 10}s",
        "mem_limit": memory,
        "cpus": cpus,
        "pids_limit": str(host.get("PidsLimit") or ""),
        "scale": str(scale),
        "deploy": {"replicas": str(scale), "resources": {"limits": {"cpus": cpus, "memory": memory}}},
        "logging": {"driver": logging.get("Type") or "", "options": logging.get("Config") or {}},
        "extra_hosts": host.get("ExtraHosts") or [],
        "ports": _ports(host.get("PortBindings") or {}),
        "volumes": _volumes(container.config.get("Mounts") or (), directory),
    }


def _ports(bindings: Mapping[str, Any]) -> list[Any]:
    return [
        _Either(
            short=tuple(f"{address}{bound['HostPort']}:{inside}{suffix}" for suffix in ("", f"/{protocol}")),
            long={"published": bound["HostPort"], "host_ip": bound.get("HostIp") or "", "target": inside},
        )
        for port, bounds in bindings.items()
        for inside, _, protocol in [port.partition("/")]
        for bound in bounds or ()
        for address in [f"{bound['HostIp']}:" if bound.get("HostIp") else ""]
    ]


def _volumes(mounts: Sequence[Mapping[str, Any]], directory: str) -> list[Any]:
    out = []
    for mount in mounts:
        if mount.get("Type") == "bind":
            source = str(mount.get("Source", ""))
            ways = [source]
            if Path(source).is_relative_to(directory):
                ways.insert(0, f"./{Path(source).relative_to(directory)}")
            target = str(mount.get("Destination", ""))
            short = tuple(f"{way}:{target}{mode}" for way in ways for mode in ("", ":ro", ":rw"))
            out.append(_Either(short=short, long={"source": tuple(ways), "target": target}))
    return out
