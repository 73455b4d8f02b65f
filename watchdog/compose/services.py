"""The services of a project, read from its containers' labels. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from watchdog.compose.engine import DEPENDS_ON, ONE_SHOT, Container


def by_service(found: Iterable[Container]) -> dict[str, list[Container]]:
    """Service → its containers, in the order given (oldest first, as `engine.containers` answers)."""
    out: dict[str, list[Container]] = {}
    for container in found:
        out.setdefault(container.service, []).append(container)
    return out


def declared_one_shots(found: Sequence[Container]) -> frozenset[str]:
    """Services that are said to run once: another one waits for their success, or their own label says so."""
    one_shots = {c.service for c in found if c.labels.get(ONE_SHOT, "").lower() == "true"}
    for c in found:
        for dependency in c.labels.get(DEPENDS_ON, "").split(","):
            service, _, condition = dependency.partition(":")
            if condition.startswith("service_completed_successfully"):
                one_shots.add(service)
    return frozenset(one_shots)
