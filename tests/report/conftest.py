"""One incident with everything in it, as the engine would have stored it, for the views and their rendering."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from watchdog.model.deploy import EvidenceItem, Revision
from watchdog.model.incident import Bookmark, EventKind, Pause
from watchdog.model.measurement import Measurement, Sample, Verdict
from watchdog.model.rollback import ActResult, Draft, Objection, Objections, Plan, Rollback, Verification
from watchdog.model.rule import CrashesMeasure, PrometheusMeasure, Rule, Trigger
from watchdog.model.target import ComposeSpec, Target
from watchdog.model.watch import Decision, DecisionKind, Progress, Watch, WatchState
from watchdog.report import incident as words

BEGAN = datetime(2026, 11, 23, 14, 3, 0, tzinfo=UTC)
SECRET = "hunter2-never-shown"
QUERY = 'histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{job="shop-api"}[1m])))'


def after(seconds):
    return BEGAN + timedelta(seconds=seconds)


LATENCY = Rule(
    name="latency-p99",
    trigger=Trigger.performance,
    summary="99th percentile latency of shop is over 1 s",
    measure=PrometheusMeasure(query=QUERY),
    fail_when="value > 1.0",
    for_=timedelta(seconds=45),
)
CRASH = Rule(
    name="crash-loop",
    trigger=Trigger.crash,
    summary="a container of shop ended abnormally twice",
    measure=CrashesMeasure(),
    fail_when="value >= 2",
    consecutive_failures=1,
)
TARGET = Target(
    name="shop",
    spec=ComposeSpec(project="shop", directory="/srv/shop"),
    rules=(CRASH, LATENCY),
    receivers=("oncall",),
)
PLAN = Plan(
    id="plan-1",
    target="shop",
    watch="w-0123456789",
    from_revision="r8",
    from_fingerprint="f8",
    to_revision="r7",
    draft=Draft(
        changes=("api",),
        expected={"api": "sha256:1111111111111111"},
        commands=(("docker", "compose", "-p", "shop", "up", "-d", "--no-deps", "--pull", "never", "api"),),
        warnings=("the bind mount ./nginx.conf changed since r7 and is not brought back",),
    ),
    made_at=after(62),
)
RESULT = ActResult(ok=True, reason="the running ids are the plan's ids", took=timedelta(seconds=4.2))


def watch_of(state=WatchState.recovered, **changes):
    reason = "1.92 > 1.0 for 45s"
    watch = Watch(
        id="w-0123456789",
        target="shop",
        environment="production",
        platform="compose",
        revision="r8",
        fingerprint="f8",
        previous="r7",
        state=state,
        opened_at=BEGAN,
        changed_at=BEGAN,
        settled_at=after(5),
        seen_at=after(100),
        progress={
            "crash-loop": Progress(measured=12, last=Verdict.passed, last_reason="api: 0 exits"),
            "latency-p99": Progress(
                measured=12, failures=10, consecutive_failures=10, last=Verdict.failed, tripped=True, trip_reason=reason
            ),
        },
        decision=Decision(kind=DecisionKind.rollback, reason=f"latency-p99: {reason}", rules=("latency-p99",)),
        plan=PLAN,
        verification=Verification(
            began_at=after(67),
            restored=True,
            passing_since=after(70),
            lines=("api runs sha256:1111, as planned", "probe api passes", "latency-p99 passes: 0.21 ≤ 1.0"),
        ),
        incident="inc-0123456789",
        ended_at=after(100),
        end_reason="everything passed for 30s",
    )
    return watch.model_copy(update=changes)


WATCH = watch_of()


def measurements():
    made = [
        Measurement(
            watch=WATCH.id,
            rule="crash-loop",
            at=after(5 * n),
            query="crashes exits",
            verdict=Verdict.passed,
            reason="api: 0 exits",
            samples=(Sample(value=0, labels={"service": "api"}),),
            series=1,
        )
        for n in range(1, 13)
    ]
    for n in range(1, 13):
        value = 0.2 if n < 3 else 1.8 + n / 100
        verdict = Verdict.passed if n < 3 else Verdict.failed
        made.append(
            Measurement(
                watch=WATCH.id,
                rule="latency-p99",
                at=after(5 * n),
                query=QUERY,
                verdict=verdict,
                reason=f"{value:g} {'>' if n > 2 else '≤'} 1.0",
                samples=(Sample(value=value),),
                series=1,
            )
        )
    made.append(
        Measurement(
            watch=WATCH.id,
            rule="latency-p99",
            at=after(75),
            query=QUERY,
            verdict=Verdict.inconclusive,
            reason="only NaN",
            samples=(Sample(value=float("nan")),),
            series=1,
            phase="verification",
        )
    )
    return made


def events():
    tripped = watch_of(WatchState.watching, plan=None)
    return [
        words.deploy_seen(watch_of(WatchState.arriving), BEGAN, "api: image shop-api:2.4.0 → shop-api:2.5.0"),
        words.note(WATCH, after(5), "the rollout settled; the bake time of 10m began"),
        words.tripped(tripped, after(61), LATENCY, QUERY),
        words.rollback_started(WATCH, after(62), PLAN),
        words.rollback_finished(WATCH, after(67), PLAN, RESULT),
        words.ended(EventKind.recovered, WATCH, after(100), "everything passed for 30s", after(61)),
    ]


def revision(name, **changes):
    return Revision(
        target="shop",
        id=name,
        fingerprint="f" + name[1:],
        seen_at=BEGAN,
        summary=f"api: shop-api:2.{name[1:]}.0",
        images={"api": "sha256:1111"},
        recorded={"environment": {"DB_PASSWORD": SECRET}},
    ).model_copy(update=changes)


REVISIONS = [
    revision("r9", same_as="r7", known_good=True, known_good_because="restored", summary=""),
    revision("r8", condemned=True),
    revision(
        "r7",
        known_good=True,
        known_good_because="watched",
        exact=False,
        seen_at=BEGAN - timedelta(days=2),
        note="the shell variable API_TAG is not known; images are pinned only",
    ),
]


def sample_events():
    """One event of every kind that is sent, made by the same functions as the engine's."""
    pause = Pause(target="shop", since=BEGAN, until=after(7200), reason="database migration", by="ada")
    objection = Objection(name=Objections.cooldown, reason="the last automatic rollback was 12m ago, less than 30m")
    blind = watch_of(
        progress={"latency-p99": Progress(measured=4, consecutive_errors=4, last_reason="connection refused")},
        blind=timedelta(seconds=20),
    )
    seen = watch_of(WatchState.watching, plan=None, decision=None, verification=None, incident=None)
    passed = seen.model_copy(update={"progress": {"latency-p99": Progress(measured=120)}})
    made = events()
    return [
        made[0].model_copy(update={"incident": None}),
        words.passed(passed, after(605), "nothing tripped in 10m"),
        words.superseded(seen, after(40), "r9 arrived", "r9"),
        words.extended(blind.model_copy(update={"incident": None}), after(30), "Prometheus did not answer for 20s"),
        words.blind(blind.model_copy(update={"incident": None}), after(30), LATENCY),
        made[2],
        words.would_roll_back(WATCH, after(62), "r7", PLAN.draft),
        *made[3:],
        words.rollback_seen(
            TARGET,
            revision("r9", same_as="r7", known_good=True, known_good_because="restored", summary=""),
            "r8",
            after(70),
        ),
        words.ended(EventKind.failed, watch_of(WatchState.failed), after(190), "probe api still fails: 503", after(61)),
        words.blocked(watch_of(WatchState.blocked, plan=None, verification=None), after(62), [objection]),
        words.held(
            watch_of(WatchState.held, plan=None, verification=None), after(62), "no known-good revision", after(86462)
        ),
        words.hold_ended(watch_of(WatchState.passed, plan=None, verification=None), after(900), "approved", "ada"),
        words.pause_event(EventKind.paused, pause, "production", BEGAN),
        words.pause_event(EventKind.resumed, pause, "production", after(3600)),
    ]


@pytest.fixture
def story():
    """The incident's parts, as a store would give them."""
    incident = words.incident_of(
        WATCH, after(62), "shop r8 was rolled back to r7: latency-p99: 1.92 > 1.0 for 45s", None
    )
    closed = incident.model_copy(update={"closed_at": after(100)})
    log = "\n".join(f"{n} upstream timed out" for n in range(40)) + "\n\x1b[31mred [bold]markup[/bold]"
    return SimpleNamespace(
        began=BEGAN,
        after=after,
        secret=SECRET,
        target=TARGET,
        watch=WATCH,
        watch_of=watch_of,
        incident=closed,
        events=events(),
        sample_events=sample_events(),
        measurements=measurements(),
        evidence=[EvidenceItem(kind="logs", name="shop-api-1", text=log, truncated=True)],
        rollback=Rollback(
            id="plan-1",
            target="shop",
            watch=WATCH.id,
            from_revision="r8",
            to_revision="r7",
            automatic=True,
            started_at=after(62),
            finished_at=after(66.2),
            result=RESULT,
        ),
        revisions=REVISIONS,
        bookmark=Bookmark(target="shop", revision="r9", fingerprint="f7", seen_at=after(66)),
        pause=Pause(target="shop", since=BEGAN, reason="database migration", by="ada"),
    )
