"""A platform in memory: deploys, crashes and rollbacks happen when a test says so.

`FakePlatform` reads one `World`, `FakeActor` changes it. Both keep the promises of observe/base.py and act/base.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watchdog.errors import Refused, Unavailable
from watchdog.model.deploy import (
    EvidenceItem,
    Exit,
    Instance,
    Phase,
    Recorded,
    Revision,
    Rollout,
    Snapshot,
)
from watchdog.model.rollback import ActResult, Draft, Objection, Plan
from watchdog.model.target import Target


@dataclass
class World:
    """What is true of one target."""

    running: str = "v1"
    phase: Phase = Phase.complete
    reason: str = ""
    exits: list[Exit] = field(default_factory=list)
    state: str = "running"
    ended_abnormally: bool = False
    health: str = "none"
    named: bool = True
    """Whether the platform names its revisions, as Helm does; else the ledger does, as for Compose."""
    numbers_rollbacks: bool = False
    """Whether a rollback becomes a revision of its own, as in Helm."""
    brought_back: str | None = None
    """Of such a revision: what it brought back."""
    plan: str | None = None
    """Of such a revision: the watchdog's plan that made it; None: somebody else rolled back."""
    busy: str = ""
    """The operation under way, if the platform knows of one."""
    broken: str | None = None
    """Why the platform does not answer now."""
    act_fails: str | None = None
    """Why the next rollback fails."""
    lost: set[str] = field(default_factory=set)
    """Revisions that can't be brought back any more."""
    policies: tuple[Objection, ...] = ()
    """What a draft objects to."""
    looks: list[bool] = field(default_factory=list)
    """Every snapshot that was asked for: whether it was to be whole."""
    acts: list[str] = field(default_factory=list)
    """Every revision that was brought back by an act, in order."""
    wake: Callable[[str], None] | None = None

    def deploy(self, name: str, phase: Phase = Phase.complete) -> None:
        """Somebody deploys."""
        self.running, self.phase, self.reason = name, phase, ""
        self.brought_back = self.plan = None
        self.exits, self.state, self.health, self.ended_abnormally = [], "running", "none", False

    def bring_back(self, name: str, plan: str | None = None) -> None:
        """Somebody, or the watchdog's plan, rolls back to a revision."""
        self.deploy(f"{name}-again" if self.numbers_rollbacks else name)
        if self.numbers_rollbacks:
            self.brought_back, self.plan = name, plan

    def crash(self, at: datetime, exit_code: int = 1) -> None:
        """The service ends abnormally, and is started again."""
        self.exits.append(Exit(instance="i1", service="api", at=at, exit_code=exit_code))


class FakePlatform:
    """Reads the worlds of its targets."""

    def __init__(self, worlds: dict[str, World], *, resyncs: bool = False) -> None:
        """With `resyncs` it is one that tells of all that happens, and that may be glanced at."""
        self.worlds, self.resyncs = worlds, resyncs

    def snapshot(self, target: Target, now: datetime, *, whole: bool = True) -> Snapshot:
        """What the world says."""
        world = self._world(target)
        world.looks.append(whole)
        instance = Instance.model_validate(
            {
                "id": f"{world.running}-1",
                "service": "api",
                "name": f"{target.name}-api-1",
                "image": image_of(world.running),
                "state": world.state,
                "health": world.health,
                "ended_abnormally": world.ended_abnormally,
            }
        )
        seen = whole or not self.resyncs
        return Snapshot(
            at=now,
            fingerprint=f"fp-{world.running}" if world.running else "",
            name=world.running if world.named else None,
            summary=f"api: {world.running}",
            images={"api": image_of(world.running)},
            instances=(instance,) if world.running and seen else (),
            exits=tuple(world.exits) if seen else (),
            whole=seen,
            busy=world.busy,
            brought_back=world.brought_back,
            plan=world.plan,
            rollout=Rollout(phase=world.phase, reason=world.reason),
            pods=f"{target.name}-api-.*",
        )

    def record(self, target: Target, snapshot: Snapshot, previous: Revision | None) -> Recorded:
        """The world's name is all there is to record; Unavailable when that is not the snapshot's any more."""
        world = self._world(target)
        if snapshot.fingerprint != f"fp-{world.running}":
            raise Unavailable(f"{target.name} changed while it was being recorded; again later")
        return Recorded(summary=snapshot.summary, images=snapshot.images, recorded={"name": world.running})

    def evidence(self, target: Target, snapshot: Snapshot) -> Sequence[EvidenceItem]:
        """One log line."""
        self._world(target)
        return (EvidenceItem(kind="logs", name="api", text=f"log of {snapshot.name or snapshot.fingerprint}\n"),)

    def history(self, target: Target, limit: int) -> Sequence[str]:
        """Nothing is kept."""
        return ()

    def check(self, target: Target) -> Sequence[str]:
        """Whether the world answers."""
        broken = self.worlds[target.name].broken
        return (broken,) if broken else ()

    def start(self, targets: Sequence[Target], wake: Callable[[str], None]) -> None:
        """Worlds call `wake` from now on."""
        for target in targets:
            self.worlds[target.name].wake = wake

    def stop(self) -> None:
        """Worlds are quiet again."""
        for world in self.worlds.values():
            world.wake = None

    def _world(self, target: Target) -> World:
        world = self.worlds[target.name]
        if world.broken:
            raise Unavailable(world.broken)
        return world


class FakeActor:
    """Changes the worlds of its targets."""

    def __init__(self, worlds: dict[str, World]) -> None:
        self.worlds = worlds
        self.kept: dict[str, list[str]] = {}

    def draft(self, target: Target, to: Revision, running: Snapshot) -> Draft:
        """One service changes."""
        world = self.worlds[target.name]
        if to.id in world.lost:
            raise Refused(f"revision {to.id} is gone")
        return Draft(
            changes=("api",),
            expected={"api": image_of(_again(to, world))},
            commands=(("restore", to.id),),
            objections=world.policies,
        )

    def execute(self, target: Target, plan: Plan, to: Revision) -> ActResult:
        """Bring the revision back unless it is back already, or fail as told."""
        world = self.worlds[target.name]
        if world.act_fails:
            return ActResult(ok=False, reason=world.act_fails)
        name = str(to.recorded.get("name", to.id))
        if (world.running, world.phase) == (_again(to, world), Phase.complete):
            return ActResult(ok=True, reason=f"{name} runs already; nothing was done")
        world.acts.append(name)
        world.bring_back(name, plan.id)
        return ActResult(ok=True, reason=f"{name} runs", took=timedelta(seconds=1))

    def matches(self, target: Target, plan: Plan, running: Snapshot) -> Sequence[str]:
        """Compare the image ids."""
        return [
            f"service {service}: {running.images.get(service, 'nothing')} runs, {image} was planned"
            for service, image in plan.draft.expected.items()
            if running.images.get(service) != image
        ]

    def preserve(self, target: Target, keep: Sequence[Revision]) -> None:
        """Remember what is kept."""
        self.kept[target.name] = [r.id for r in keep]


def _again(to: Revision, world: World) -> str:
    name = str(to.recorded.get("name", to.id))
    return f"{name}-again" if world.numbers_rollbacks else name


def image_of(name: str) -> str:
    """The image id of a revision of a world."""
    return f"sha256:{name}"
