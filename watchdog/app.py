"""Builds everything once, from the config: the only place that knows the concrete classes. Reads like a list of parts.

What a config does not use is not imported.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import uuid4

from pydantic import SecretStr

from watchdog.act.base import Actor
from watchdog.actions import Actions
from watchdog.clock import Clock, SystemClock
from watchdog.engine import Engine, Parts
from watchdog.histories import Histories
from watchdog.jobs import Jobs, Pool
from watchdog.model.incident import Event, Notice
from watchdog.model.target import HelmSpec, Target
from watchdog.observe.base import Discovery, Gauge, Platform
from watchdog.report.base import Receiver
from watchdog.report.metrics import Metrics
from watchdog.report.outbox import Outbox, notices_for
from watchdog.report.sentry import Sentry, SentryReceiver
from watchdog.report.webhook import WebhookReceiver
from watchdog.roster import Roster
from watchdog.settings import ReceiverSettings, Settings
from watchdog.store import open_store
from watchdog.store.base import Step, Store

THREADS = 16
"""Calls to sources, probes and platforms under way at once; each has its own time limit."""


@dataclass
class App:
    """Everything, assembled. `close` gives it all back."""

    settings: Settings
    clock: Clock
    roster: Roster
    store: Store
    platforms: dict[str, Platform]
    gauges: dict[str, Gauge]
    history: Histories
    actors: dict[str, Actor]
    metrics: Metrics
    sentry: Sentry | None
    outbox: Outbox
    jobs: Jobs
    engine: Engine
    actions: Actions
    owner: str
    on_done: list[Callable[[], None]] = field(default_factory=list)
    """Called when a job is done: the daemon's wish to take its next turn at once."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Those that are guarded now: the configured ones, and the releases that patterns found."""
        return tuple(self.roster.values())

    def close(self) -> None:
        """End what was begun, give up the claims, close the store."""
        if isinstance(self.jobs, Pool):
            self.jobs.close()
        self.engine.stop()
        if self.sentry is not None:
            self.sentry.close()
        self.store.close()


def build(settings: Settings, clock: Clock | None = None, only: Sequence[str] | None = None) -> App:
    """Assemble the app. `only`: the names of the targets it is to serve; all of them by default.

    Raises BadConfig, StoreUnavailable, StoreDamaged.
    """
    clock = clock or SystemClock()
    roster = settings.roster if only is None else Roster([settings.roster[name] for name in only])
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"
    store = open_store(settings.store)
    platforms, actors = _platforms(roster.configured, settings.secret_variables)
    gauges = _gauges(settings)
    history = _history(gauges, roster, store)
    metrics = Metrics()
    sentry = _sentry(settings)
    on_done: list[Callable[[], None]] = []

    def done() -> None:
        for call in on_done:
            call()

    jobs = Pool(THREADS, done)
    notices = _notices(settings, roster, clock)
    parts = Parts(
        roster=roster,
        platforms=platforms,
        actors=actors,
        gauges=gauges,
        store=store,
        jobs=jobs,
        owner=owner,
        notices=notices,
        history=history,
        told=_counted(metrics, roster),
    )
    engine = Engine(parts, report=_reported(metrics, sentry))
    return App(
        settings=settings,
        clock=clock,
        roster=roster,
        store=store,
        platforms=platforms,
        gauges=gauges,
        history=history,
        actors=actors,
        metrics=metrics,
        sentry=sentry,
        outbox=Outbox(store, _receivers(settings, clock, sentry)),
        jobs=jobs,
        engine=engine,
        actions=Actions(store, roster, notices, clock, lambda name: engine.scene(name, clock.now())),
        owner=owner,
        on_done=on_done,
    )


def _platforms(
    targets: Sequence[Target], secrets: Collection[str] = ()
) -> tuple[dict[str, Platform], dict[str, Actor]]:
    kinds = {t.spec.kind for t in targets}
    platforms: dict[str, Platform] = {}
    actors: dict[str, Actor] = {}
    if "compose" in kinds:
        from watchdog.act.compose.actor import ComposeActor  # noqa: PLC0415 -- only what is used is loaded
        from watchdog.observe.compose.platform import ComposePlatform  # noqa: PLC0415

        platforms["compose"], actors["compose"] = ComposePlatform(), ComposeActor()
    if "helm" in kinds:
        from watchdog.act.helm.actor import HelmActor  # noqa: PLC0415
        from watchdog.observe.helm.platform import HelmPlatform  # noqa: PLC0415

        platforms["helm"], actors["helm"] = HelmPlatform(secrets), HelmActor(secrets=secrets)
    if "command" in kinds:
        from watchdog.act.command import CommandActor  # noqa: PLC0415
        from watchdog.observe.command import CommandPlatform  # noqa: PLC0415

        platforms["command"], actors["command"] = CommandPlatform(), CommandActor()
    return platforms, actors


def found_by(patterns: Sequence[Target], settings: Settings) -> list[Target]:
    """The targets that these patterns stand for now, asked of the platform; without releases that have a target of
    their own. Raises Unavailable, Refused."""
    platforms, _ = _platforms(patterns, settings.secret_variables)
    found: list[Target] = []
    for pattern in patterns:
        found += cast("Discovery", platforms[pattern.spec.kind]).discover(pattern)
    taken = {_release(target) for target in settings.targets}
    return [target for target in found if _release(target) not in taken]


def kept_by_platform(target: Target, limit: int, settings: Settings) -> Sequence[str] | None:
    """The revisions that the platform has itself, newest first; None where it keeps none. Raises Unavailable,
    Refused."""
    if not isinstance(target.spec, HelmSpec):
        return None
    platforms, _ = _platforms([target], settings.secret_variables)
    return platforms[target.spec.kind].history(target, limit)


def _release(target: Target) -> tuple[str, str] | None:
    return (target.spec.namespace, target.spec.release) if isinstance(target.spec, HelmSpec) else None


def _gauges(settings: Settings) -> dict[str, Gauge]:
    from watchdog.observe.probes import CommandProbe, HttpProbe, TcpProbe  # noqa: PLC0415
    from watchdog.observe.scrape.gauge import ScrapeGauge  # noqa: PLC0415

    gauges: dict[str, Gauge] = {
        "http": HttpProbe(),
        "tcp": TcpProbe(),
        "command": CommandProbe(),
        "scrape": ScrapeGauge(),
    }
    prometheus = settings.sources.prometheus
    if prometheus is not None:
        from watchdog.observe.prometheus.gauge import PrometheusGauge  # noqa: PLC0415

        gauge = PrometheusGauge(
            prometheus.url,
            prometheus.timeout,
            token=prometheus.token,
            username=prometheus.username,
            password=prometheus.password,
            headers=prometheus.headers,
            verify_tls=prometheus.verify_tls,
        )
        gauges["prometheus"] = gauge
        gauges["alert"] = gauge
    return gauges


def _history(gauges: Mapping[str, Gauge], roster: Roster, store: Store) -> Histories:
    """What `compare` rules ask: Prometheus, and the pages whose history the store keeps."""
    from watchdog.observe.prometheus.api import PrometheusApi  # noqa: PLC0415
    from watchdog.observe.prometheus.history import PrometheusHistory  # noqa: PLC0415
    from watchdog.observe.scrape.history import ScrapeHistory  # noqa: PLC0415

    found = gauges.get("prometheus")
    prometheus = PrometheusHistory(found) if isinstance(found, PrometheusApi) else None
    return Histories(
        roster, prometheus, lambda target, url: ScrapeHistory(target, url, store.keep_scrape, store.scrapes)
    )


def _sentry(settings: Settings) -> Sentry | None:
    if settings.sentry is None or settings.sentry.dsn is None:
        return None
    return Sentry(settings.sentry.dsn, settings.sentry.environment, secrets=_secrets(settings))


def _secrets(settings: Settings) -> list[str]:
    prometheus = settings.sources.prometheus
    found: list[SecretStr | None] = [settings.http.token if settings.http else None]
    found += [prometheus.token, prometheus.password] if prometheus else []
    found += [r.webhook.secret for r in settings.receivers if r.webhook]
    return [secret.get_secret_value() for secret in found if secret is not None]


SENTRY = ReceiverSettings(name="sentry")


def _receivers(settings: Settings, clock: Clock, sentry: Sentry | None) -> dict[str, Receiver]:
    """Those this process can send to: what can't be signed here waits in the outbox for the daemon."""
    receivers: dict[str, Receiver] = {}
    for wanted in settings.receivers:
        if wanted.webhook is not None and not wanted.webhook.secret_missing:
            receivers[wanted.name] = WebhookReceiver(
                wanted.name,
                wanted.webhook.url,
                clock=clock,
                secret=wanted.webhook.secret,
                timeout=wanted.webhook.timeout,
            )
    if sentry is not None:
        receivers[SENTRY.name] = SentryReceiver(sentry)
    return receivers


def _notices(settings: Settings, roster: Roster, clock: Clock) -> Callable[[Event], tuple[Notice, ...]]:
    by_name = {r.name: r for r in settings.receivers}

    def notices(event: Event) -> tuple[Notice, ...]:
        target = roster.get(event.target)
        if target is None:
            return ()
        route = [by_name[name] for name in target.receivers] + [SENTRY] * (settings.sentry is not None)
        return notices_for(event, route, clock.now())

    return notices


def _counted(metrics: Metrics, roster: Roster) -> Callable[[Step], None]:
    def counted(step: Step) -> None:
        for event in step.events:
            metrics.observe_event(event)
        for measurement in step.measurements:
            target = roster.get(step.watches[0].target) if step.watches else None
            rule = target.rule(measurement.rule) if target else None
            if target is not None and rule is not None:
                metrics.observe_measurement(measurement, target.name, rule)

    return counted


def _reported(metrics: Metrics, sentry: Sentry | None) -> Callable[[Exception], None]:
    def reported(error: Exception) -> None:
        metrics.unexpected_error("engine")
        if sentry is not None:
            sentry.capture(error)

    return reported


__all__ = ["App", "build"]
