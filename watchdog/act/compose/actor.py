"""Rolls a Compose project back: the recorded config, images pinned by id, nothing pulled, built, or run twice.

Only services that differ are touched; volumes and networks that exist stay as they are; the watchdog's own service is
left alone. The config goes to Compose through a pipe, so that its secrets are on no disk. Killed in the middle, the
same plan can be carried out again: what is already as planned is not touched.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from docker import APIClient
from docker.errors import NotFound

from watchdog.act.compose.changes import Changes, unlike_plan, work_out
from watchdog.act.compose.config import config_for, scale_of, text_for
from watchdog.act.compose.images import preserve
from watchdog.compose.cli import Project
from watchdog.compose.engine import PROJECT, Container, Engines, containers, own_container, service_of, translated
from watchdog.compose.services import by_service
from watchdog.errors import Refused, Unavailable
from watchdog.model.deploy import Revision, Snapshot
from watchdog.model.masking import mask, secrets_in
from watchdog.model.rollback import ActResult, Draft, Plan
from watchdog.model.target import ComposeSpec, Target
from watchdog.subprocesses import Completed, run

OUTPUT_KEPT = 16 * 1024
"""Bytes of what Compose printed, the last ones."""


class ComposeActor:
    """The `Actor` of targets with a `compose:` section."""

    def __init__(self) -> None:
        self._engines = Engines()
        self._own = own_container()

    def draft(self, target: Target, to: Revision, running: Snapshot) -> Draft:
        """What `execute` would do: the services, the command, and what it will not bring back."""
        spec = _spec(target)
        client = self._engines.client(spec.docker_host)
        found = containers(client, spec.project)
        changes = self._changes(target, to, found)
        _images_exist(client, to, changes)
        taken_away = [c for c in found if c.service in {*changes.remove, *changes.clear}]
        commands: list[tuple[str, ...]] = [("docker", verb, c.name) for c in taken_away for verb in ("stop", "rm")]
        if changes.bring_up:
            commands.append(_up(spec, config_for(spec, to, changes.bring_up), changes))
        return Draft(
            changes=(*changes.bring_up, *changes.remove, *changes.clear),
            expected=dict(changes.expected or {}),
            commands=tuple(commands),
            warnings=changes.warnings,
        )

    def execute(self, target: Target, plan: Plan, to: Revision) -> ActResult:
        """Carry it out. A failure is a result, with Compose's last words, secrets masked."""
        began = time.monotonic()
        secrets = {
            secret
            for environment in (to.recorded.get("environments") or {}).values()
            for secret in secrets_in(environment)
        }
        try:
            ok, reason, output = self._carry_out(target, plan, to, began + target.rollback.timeout.total_seconds())
        except (Refused, Unavailable) as error:
            ok, reason, output = False, str(error), ""
        took = timedelta(seconds=time.monotonic() - began)
        return ActResult(ok=ok, reason=mask(reason, secrets), output=mask(output, secrets), took=took)

    def matches(self, target: Target, plan: Plan, running: Snapshot) -> Sequence[str]:
        """Images by id, every container of each service, and nothing that the plan removes. Pure."""
        expected = plan.draft.expected
        if plan.draft.changes and running.fingerprint == plan.from_fingerprint:
            return (f"still runs what was to be rolled back: nothing of {', '.join(plan.draft.changes)} changed",)
        found = {(i.service, i.image) for i in running.instances if not i.one_shot}
        problems = [f"service {s} has no container" for s in expected if s not in {service for service, _ in found}]
        for service, image in sorted(found):
            if service in expected and image != expected[service]:
                planned = expected[service][:19]
                problems.append(f"service {service} runs image {image[:19]}, planned is {planned}")
            elif service not in expected and service in plan.draft.changes:
                problems.append(f"service {service} is still there, and is not in the plan")
        return tuple(problems)

    def preserve(self, target: Target, keep: Sequence[Revision]) -> None:
        """Keep the images of these revisions in use by containers that are never started."""
        preserve(self._engines.client(_spec(target).docker_host), target.name, keep)

    def close(self) -> None:
        """Close the connections to engines."""
        self._engines.close()

    def _changes(self, target: Target, to: Revision, found: Sequence[Container]) -> Changes:
        if not to.images:
            raise Refused(f"nothing was recorded of revision {to.id}: it cannot be brought back")
        own = service_of(found, self._own)
        return work_out(to, found, own, rerun_one_shots=target.rollback.rerun_one_shots)

    def _carry_out(self, target: Target, plan: Plan, to: Revision, deadline: float) -> tuple[bool, str, str]:
        spec = _spec(target)
        client = self._engines.client(spec.docker_host)
        found = containers(client, spec.project)
        changes = self._changes(target, to, found)
        changes = replace(changes, bring_up=tuple(s for s in changes.bring_up if s in plan.draft.changes))
        _remove(client, found, {*changes.remove, *changes.clear} & set(plan.draft.changes))
        if not changes.bring_up:
            return self._compared(client, spec, plan, f"already as planned ({to.id})", "")
        config = config_for(spec, to, changes.bring_up)
        text = text_for(config, *_existing(client, spec.project))
        done = _run(spec, _up(spec, config, changes), text, deadline)
        output = (done.err + done.out)[-OUTPUT_KEPT:]
        if not done.ok:
            words = done.last_words or "it said nothing"
            return False, f"`docker compose up` {done.outcome}: {words}", output
        return self._compared(client, spec, plan, f"{', '.join(changes.bring_up)} brought back from {to.id}", output)

    def _compared(
        self, client: APIClient, spec: ComposeSpec, plan: Plan, done: str, output: str
    ) -> tuple[bool, str, str]:
        """The last word is the engine's: do the planned ids run?"""
        found = containers(client, spec.project)
        problems = unlike_plan(plan.draft.expected, found, service_of(found, self._own))
        return not problems, "; ".join(problems) or done, output


def _spec(target: Target) -> ComposeSpec:
    if not isinstance(target.spec, ComposeSpec):
        raise Refused(f"target {target.name} is no Compose project")
    return target.spec


def _images_exist(client: APIClient, to: Revision, changes: Changes) -> None:
    with translated(f"looking for the images of revision {to.id}"):
        for service in changes.bring_up:
            try:
                client.inspect_image(to.images[service])  # type: ignore[no-untyped-call]
            except NotFound as error:
                image = to.images[service][:19]
                raise Refused(f"image {image} of service {service} is gone: {to.id} cannot be brought back") from error


def _up(spec: ComposeSpec, config: Mapping[str, Any], changes: Changes) -> tuple[str, ...]:
    """The one command. `--no-deps` keeps it to the services named; scale stays as it is now."""
    scales = [
        word
        for service, count in (changes.scale or {}).items()
        if service in changes.bring_up and count != scale_of(config["services"][service])
        for word in ("--scale", f"{service}={count}")
    ]
    fixed = ("up", "--detach", "--no-deps", "--no-build", "--pull", "never")
    return Project(spec).argv(*fixed, *scales, *changes.bring_up, file="-")


def _run(spec: ComposeSpec, argv: Sequence[str], text: str, deadline: float) -> Completed:
    left = timedelta(seconds=max(1.0, deadline - time.monotonic()))
    return run(argv, timeout=left, env=Project(spec).environment(), stdin=text, keep="end", cwd="/")


def _existing(client: APIClient, project: str) -> tuple[set[str], set[str]]:
    """The real names of the project's networks and volumes that exist."""
    filters = {"label": f"{PROJECT}={project}"}
    with translated(f"reading the networks and volumes of project {project}"):
        networks = {str(network["Name"]) for network in client.networks(filters=filters)}
        volumes = {str(volume["Name"]) for volume in client.volumes(filters=filters).get("Volumes") or ()}
    return networks, volumes


def _remove(client: APIClient, found: Iterable[Container], services: set[str]) -> None:
    """Stop and remove the containers of these services, never a volume."""
    for service, group in by_service(found).items():
        for container in group if service in services else ():
            with translated(f"removing {container.name}"):
                try:
                    if container.state in {"running", "restarting", "paused"}:
                        client.stop(container.id)
                    client.remove_container(container.id, v=False)
                except NotFound:
                    continue  # somebody was faster
