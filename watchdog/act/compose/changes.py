"""What must change in a Compose project to bring a revision back, and what it will not bring back.

Pure but for looking at the mounted files. Only services that differ are touched; one-shot services are not run again;
the watchdog's own service is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchdog.compose import files
from watchdog.compose.engine import Container
from watchdog.compose.services import by_service, declared_one_shots
from watchdog.model.deploy import Revision


@dataclass(frozen=True)
class Changes:
    """A rollback, worked out."""

    bring_up: tuple[str, ...] = ()
    """Services to be made from the revision's config and images."""
    remove: tuple[str, ...] = ()
    """Services that came after the revision: their containers go, their volumes stay."""
    clear: tuple[str, ...] = ()
    """One-shot services whose failed run is put away, because it is not run again."""
    expected: Mapping[str, str] | None = None
    """Service → image id of all that must run afterwards."""
    scale: Mapping[str, int] | None = None
    """Service → how many containers it has now."""
    warnings: tuple[str, ...] = ()


def work_out(to: Revision, found: Sequence[Container], own: str | None, *, rerun_one_shots: bool) -> Changes:
    """Compare what runs (`found`, oldest first) with the revision. `own`: the watchdog's own service, if it is one."""
    running = {service: group for service, group in by_service(found).items() if service != own}
    images = {service: image for service, image in to.images.items() if service != own}
    one_shots = frozenset(to.recorded.get("one_shots") or ()) | declared_one_shots(found)
    lasting = {service: image for service, image in images.items() if service not in one_shots}
    differing = {s for s, image in images.items() if _differs(s, image, running.get(s), to)}
    bring_up = sorted(s for s in differing if s in lasting or rerun_one_shots)
    known = set(images) | set((to.recorded.get("config") or {}).get("services") or ())
    remove = sorted(s for s in running if s not in known and s not in one_shots)
    clear = sorted(s for s in one_shots & set(running) if not rerun_one_shots and _failed(s, running, to))
    return Changes(
        bring_up=tuple(bring_up),
        remove=tuple(remove),
        clear=tuple(clear),
        expected=dict(sorted(lasting.items())),
        scale={s: len({c.number for c in running[s]}) for s in bring_up if s in running},
        warnings=(
            *_config_warnings(to, bring_up, running, lasting),
            *files.differences(to.recorded.get("files") or [], frozenset(bring_up)),
            *(f"service {s} came later: it is stopped and removed, its volumes are kept" for s in remove),
            *(
                f"one-shot service {s} is not run again"
                for s in sorted(one_shots & differing)
                if s in running and not rerun_one_shots
            ),
            *(f"the failed container of one-shot service {s} is removed" for s in clear),
            *((f"service {own} is the watchdog's own and is left as it is",) if own in to.images else ()),
        ),
    )


def is_exact(to: Revision, service: str) -> bool:
    """Whether the recorded config of the service is proved to be what ran."""
    return service in (to.recorded.get("exact_services") or ())


def _differs(service: str, image: str, running: Sequence[Container] | None, to: Revision) -> bool:
    if not running or any(c.image != image for c in running):
        return True
    return is_exact(to, service) and any(c.config_hash not in _hashes(to, service) for c in running)


def _hashes(to: Revision, service: str) -> set[str | None]:
    """The config hashes that mean this revision: as it was deployed, and as a rollback of ours brought it back."""
    return {(to.recorded.get(name) or {}).get(service) for name in ("hashes", "pinned_hashes")} - {None}


def _failed(service: str, running: Mapping[str, Sequence[Container]], to: Revision) -> bool:
    newest = running[service][-1]
    is_another = newest.config_hash not in _hashes(to, service) or newest.image != to.images.get(service)
    return is_another and newest.state == "exited" and newest.exit_code != 0


def _config_warnings(
    to: Revision, bring_up: Sequence[str], running: Mapping[str, Sequence[Container]], lasting: Mapping[str, str]
) -> list[str]:
    inexact = [s for s in bring_up if not is_exact(to, s)]
    found = []
    if inexact:
        because = f" ({to.note})" if to.note else ""
        found.append(
            f"only the images of {', '.join(inexact)} are brought back, in the config of today's files{because}"
        )
    kept = [
        s
        for s in lasting
        if s in running
        and s not in bring_up
        and not is_exact(to, s)
        and running[s][-1].config_hash not in _hashes(to, s)
    ]
    if kept:
        found.append(f"the config of {', '.join(kept)} is another than it was and cannot be brought back")
    config: Mapping[str, Any] = to.recorded.get("config") or {}
    if config and bring_up:
        used = {**config, "services": {s: config["services"][s] for s in bring_up if s in config["services"]}}
        found += [f"{what} is not recorded and must be in the watchdog's environment" for what in _from_shell(used)]
    return found


def _from_shell(config: Mapping[str, Any]) -> list[str]:
    names = {
        (section, use.get("source") if isinstance(use, Mapping) else use)
        for body in config["services"].values()
        for section in ("configs", "secrets")
        for use in body.get(section) or ()
    }
    used = {
        section: {n: b for n, b in (config.get(section) or {}).items() if (section, n) in names}
        for section in ("configs", "secrets")
    }
    return files.from_environment(used)


def unlike_plan(expected: Mapping[str, str], found: Sequence[Container], own: str | None) -> list[str]:
    """Where the containers differ from the images that must run, in words; empty: nowhere."""
    running = {service: group for service, group in by_service(found).items() if service != own}
    problems = [f"service {service} has no container" for service in expected if service not in running]
    for service, image in expected.items():
        others = sorted({c.image for c in running.get(service, ()) if c.image != image})
        problems += [f"service {service} runs image {other[:19]}, planned is {image[:19]}" for other in others]
    return problems
