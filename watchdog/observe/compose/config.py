"""Records a revision of a Compose project: its resolved config, proved by hash to be what runs, or the reason why not.

A config is exact for a service when `docker compose config --hash` of what is recorded equals the label of the
service's containers. What can't be proved is recorded as images only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from watchdog.compose import files
from watchdog.compose.cli import Project
from watchdog.compose.engine import CONFIG_FILES, Container
from watchdog.compose.pinned import pinned, text_of
from watchdog.errors import Refused
from watchdog.model.deploy import Recorded
from watchdog.model.masking import secrets_in
from watchdog.model.target import ComposeSpec
from watchdog.observe.compose.instances import Seen, generations, images, one_shots_of, summary
from watchdog.observe.compose.variables import solve

VERSION = 1
"""Of the shape of `Revision.recorded`; docs/compose.md lists its fields."""


@dataclass(frozen=True)
class Proof:
    """A resolved config, and for which services it is what runs."""

    config: Mapping[str, Any] | None = field(default=None, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    exact: frozenset[str] = frozenset()
    pinned_hashes: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    """Why it is not exact for all services."""


def prove(spec: ComposeSpec, running: Mapping[str, Sequence[Container]], one_shots: frozenset[str]) -> Proof:
    """Resolve the project's files so that they give what runs. Never raises Refused: the reason is in the answer.

    A one-shot service may differ without making the config inexact: a rollback does not bring it back.
    Raises Unavailable when Compose is too slow.
    """
    labels = {service: newest[-1].config_hash for service, newest in running.items()}
    try:
        variables = _variables(Project(spec), labels, running)
        project = Project(spec, variables)
        config = project.resolve()
        text = text_of(config)
        hashes = Project(spec).hashes(text)
    except Refused as error:
        return Proof(why=str(error))
    lasting = {service: label for service, label in labels.items() if service not in one_shots}
    exact = frozenset(service for service, label in labels.items() if hashes.get(service) == label)
    ids = {service: newest[-1].image for service, newest in running.items() if service in config["services"]}
    proof = Proof(config=config, variables=variables, exact=exact, why=_why(lasting, hashes))
    try:
        return replace(proof, pinned_hashes=Project(spec).hashes(text_of(pinned(config, ids))))
    except Refused as error:
        return Proof(variables=variables, why=f"the config cannot be pinned to images: {error}")


def _variables(
    project: Project, labels: Mapping[str, str], running: Mapping[str, Sequence[Container]]
) -> Mapping[str, str]:
    """None, if the files give what runs as they are; else those, of the likely ones, that fit the most services."""
    best: dict[str, str] = {}
    try:
        most = _fitting(project.hashes(), labels)
    except Refused:
        most = -1  # it may need a variable to resolve at all
    if most == len(labels):
        return best
    for candidate in solve(project.template(), running, project.spec.directory):
        if not candidate:
            continue
        try:
            fitting = _fitting(replace(project, variables=candidate).hashes(), labels)
        except Refused:
            continue
        if fitting > most:
            best, most = candidate, fitting
        if most == len(labels):
            break
    return best


def _fitting(hashes: Mapping[str, str], labels: Mapping[str, str]) -> int:
    return sum(hashes.get(service) == label for service, label in labels.items())


def _why(labels: Mapping[str, str], hashes: Mapping[str, str]) -> str:
    absent = sorted(set(labels) - set(hashes))
    different = sorted(s for s, label in labels.items() if s in hashes and hashes[s] != label)
    parts = [f"the files do not have {', '.join(absent)}"] if absent else []
    parts += [f"the files give another config than what runs for {', '.join(different)}"] if different else []
    return "; ".join(parts)


def record(spec: ComposeSpec, seen: Sequence[Seen], previous: Mapping[str, Any]) -> Recorded:
    """Everything a rollback to what runs now will need.

    `previous`: what was recorded of the revision before, to compare with. Raises Unavailable.
    """
    newest = {service: [s.container for s in group] for service, group in generations(seen).items()}
    one_shots = one_shots_of(seen) | _jobs(newest)
    proof = prove(spec, newest, one_shots)
    mounts = files.record(files.mounted(proof.config)) if proof.config else []
    kept = {
        "version": VERSION,
        "config": proof.config,
        "variables": dict(proof.variables),
        "exact_services": sorted(proof.exact),
        "hashes": {service: group[-1].config_hash for service, group in newest.items()},
        "pinned_hashes": dict(proof.pinned_hashes),
        "image_names": {service: group[-1].image_name for service, group in newest.items()},
        "environments": {service: group[-1].environment for service, group in newest.items()},
        "files": mounts,
        "one_shots": sorted(one_shots),
    }
    return Recorded(
        summary=changes(previous, {**kept, "images": images(seen)}) or summary(seen),
        images=images(seen),
        exact=not proof.why,
        note=_note(spec, proof, newest, mounts),
        recorded={**kept, "images": images(seen)},
    )


def _jobs(newest: Mapping[str, Sequence[Container]]) -> frozenset[str]:
    """Services whose containers all ran to their end, and were not meant to go on."""
    ended = {"no", "on-failure"}
    return frozenset(
        service
        for service, group in newest.items()
        if all(c.state == "exited" and c.exit_code == 0 and c.restart_policy in ended for c in group)
    )


def _note(
    spec: ComposeSpec, proof: Proof, newest: Mapping[str, Sequence[Container]], mounts: Sequence[Mapping[str, Any]]
) -> str:
    notes = []
    if proof.why:
        notes.append(f"images only: {proof.why}")
        used = files_used(newest)
        if used and used != files_named(spec):
            notes.append(f"the containers were made from {', '.join(used)}, the target names {', '.join(spec.files)}")
    if proof.config:
        notes += [f"{what} cannot be recorded" for what in files.from_environment(proof.config)]
    notes += [f"file {m['path']} is {m['kind']}" for m in mounts if m["kind"] in {"gone", "unreadable"}]
    return Project(spec, proof.variables).masked("; ".join(notes), _secrets(newest))


def _secrets(newest: Mapping[str, Sequence[Container]]) -> list[str]:
    return [secret for group in newest.values() for c in group for secret in secrets_in(c.environment)]


def files_used(newest: Mapping[str, Sequence[Container]]) -> list[str]:
    """The Compose files the newest containers were made from, by their own labels."""
    latest = max((c for group in newest.values() for c in group), key=lambda c: c.created, default=None)
    names = (latest.labels.get(CONFIG_FILES, "") if latest else "").split(",")
    return [
        name for name in names if name not in {"", "-"}
    ]  # `-`: our own rollback, which hands its config over by pipe


def files_named(spec: ComposeSpec) -> list[str]:
    """The Compose files of the target, as Compose would write them into labels."""
    return [name if name.startswith("/") else f"{spec.directory.rstrip('/')}/{name}" for name in spec.files]


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is different, in words without any value of a variable; empty: nothing, or nothing to compare with."""
    old, new = before.get("images") or {}, now["images"]
    if not old:
        return ""
    found = [f"{service} added" for service in new if service not in old]
    found += [f"{service} removed" for service in old if service not in new]
    for service in sorted(set(old) & set(new)):
        found += _changes_of(service, before, now)
    return "; ".join(found)


def _changes_of(service: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    def both(name: str) -> tuple[Any, Any]:
        return (before.get(name) or {}).get(service), (now.get(name) or {}).get(service)

    found = []
    (old_id, new_id), (old_name, new_name) = both("images"), both("image_names")
    if old_id != new_id:
        if old_name == new_name:
            found.append(f"{service}: {new_name} is another image ({_short(old_id)} → {_short(new_id)})")
        else:
            found.append(f"{service}: {_named(old_name)} → {_named(new_name)}")
    old_env, new_env = (side or {} for side in both("environments"))
    names = sorted(name for name in set(old_env) | set(new_env) if old_env.get(name) != new_env.get(name))
    if names:
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        found.append(f"{service} env changed: {', '.join(names[:8])}{more}")
    old_hash, new_hash = both("hashes")
    if not found and old_hash != new_hash:
        found.append(f"{service} config changed")
    return found


def _named(name: str | None) -> str:
    return _short(name) if (name or "").startswith("sha256:") else str(name)


def _short(image: str | None) -> str:
    return (image or "?").removeprefix("sha256:")[:12]
