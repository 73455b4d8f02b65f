"""The config a rollback hands to Compose: the recorded one, or today's with the recorded images, as one text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from watchdog.act.compose.changes import is_exact
from watchdog.compose.cli import Project
from watchdog.compose.pinned import leaving_alone, pinned, text_of
from watchdog.errors import Refused
from watchdog.model.deploy import Revision
from watchdog.model.target import ComposeSpec

_SECTIONS = ("networks", "volumes", "configs", "secrets")


def config_for(spec: ComposeSpec, to: Revision, services: Collection[str]) -> dict[str, Any]:
    """A config that has all of these services, pinned to the revision's images.

    The recorded config serves the services it is exact for; today's files serve the others, with the variables that
    were worked out; where these can't be read, the recorded config still is the best there is.
    Raises Refused when a service has no config at all, Unavailable.
    """
    recorded = to.recorded.get("config")
    inexact = [service for service in services if not is_exact(to, service)]
    if recorded is None or inexact:
        recorded = _mixed(recorded, _of_today(spec, to, recorded), inexact)
    missing = sorted(set(services) - set(recorded["services"]))
    if missing:
        raise Refused(f"nothing is known of the config of service {missing[0]} in revision {to.id}")
    return pinned(recorded, to.images)


def _of_today(spec: ComposeSpec, to: Revision, recorded: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        return Project(spec, to.recorded.get("variables") or {}).resolve()
    except Refused as error:
        if recorded is None:
            raise Refused(f"revision {to.id} has images only, and today's config can't be read: {error}") from error
        return dict(recorded)


def _mixed(recorded: Mapping[str, Any] | None, today: dict[str, Any], inexact: Collection[str]) -> dict[str, Any]:
    if recorded is None:
        return today
    proved = {name: body for name, body in recorded["services"].items() if name not in inexact}
    unproved = {name: body for name, body in recorded["services"].items() if name not in today["services"]}
    sections = {section: {**(today.get(section) or {}), **(recorded.get(section) or {})} for section in _SECTIONS}
    return {**today, **sections, "services": {**today["services"], **unproved, **proved}}


def text_for(config: Mapping[str, Any], networks: Collection[str], volumes: Collection[str]) -> str:
    """The text to hand over. Networks and volumes that exist are used as they are."""
    return text_of(leaving_alone(config, networks, volumes))


def scale_of(body: Mapping[str, Any]) -> int:
    """How many containers a service's config asks for."""
    replicas = (body.get("deploy") or {}).get("replicas")
    return int(body.get("scale") or (1 if replicas is None else replicas))
