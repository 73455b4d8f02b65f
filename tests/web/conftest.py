"""A served API with one incident in its store, and a stand-in for people's actions."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import requests
from pydantic import SecretStr

from tests.waiting import within
from watchdog.errors import Refused, UnknownName
from watchdog.model.deploy import EvidenceItem, Revision
from watchdog.model.incident import Bookmark, Incident, Pause
from watchdog.model.measurement import Measurement, Sample, Verdict
from watchdog.model.rollback import Draft, Objection, Objections
from watchdog.model.target import ComposeSpec, Target
from watchdog.model.watch import Watch, WatchState
from watchdog.report.metrics import Metrics
from watchdog.roster import Roster
from watchdog.store.base import Step
from watchdog.store.memory import MemoryStore
from watchdog.web.app import create_app
from watchdog.web.server import Server

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
TOKEN = "t0ken-of-the-tests"
SECRET = "hunter2-never-shown"
TARGET = Target(name="shop", spec=ComposeSpec(project="shop", directory="/srv/shop"))
WATCH = Watch(
    id="w-1", target="shop", environment="production", platform="compose", revision="r8", fingerprint="f8",
    state=WatchState.held, opened_at=NOW, changed_at=NOW, seen_at=NOW, incident="inc-1", version=1,
)  # fmt: skip


def filled():
    store = MemoryStore()
    store.save(
        Step(
            watches=(WATCH,),
            revisions=(
                Revision(
                    target="shop", id="r8", fingerprint="f8", seen_at=NOW, recorded={"PASSWORD": SECRET}
                ),
            ),
            bookmark=Bookmark(target="shop", revision="r8", fingerprint="f8", seen_at=NOW),
            measurements=(
                Measurement(
                    watch="w-1", rule="latency", at=NOW, query="q", samples=(Sample(value=float("nan")),), series=1,
                    verdict=Verdict.inconclusive, reason="only NaN",
                ),
            ),
            evidence=(("w-1", EvidenceItem(kind="logs", name="api", text="boom")),),
            incidents=(Incident(
                id="inc-1", watch="w-1", target="shop", environment="production", revision="r8", opened_at=NOW,
                state=WatchState.held, headline="shop r8 is held",
            ),),
        )
    )  # fmt: skip
    return store


class Actions:
    """Notes what was ordered."""

    def __init__(self):
        self.orders = []

    def _known(self, target):
        if target != "shop":
            raise UnknownName(f"no target {target!r} in this config; it has: shop")

    def rollback(self, target, to, by):
        self._known(target)
        if to == "r8":
            raise Refused("r8 is what runs")
        self.orders.append(("rollback", target, to, by))
        return WATCH

    def preview(self, target, to, by):
        self._known(target)
        return SimpleNamespace(
            from_revision="r8",
            to_revision=to or "r7",
            draft=Draft(changes=("api",), commands=(("docker", "compose", "up"),), warnings=("a bind changed",)),
            objections=(Objection(name=Objections.cooldown, reason="12m ago, less than 30m"),),
        )

    def pause(self, target, duration, reason, by):
        self._known(target)
        self.orders.append(("pause", target, duration, reason, by))
        return Pause(target=target, since=NOW, until=NOW + duration if duration else None, reason=reason, by=by)

    def resume(self, target, by):
        self._known(target)
        self.orders.append(("resume", target, by))
        return True

    def approve(self, target, revision, by):
        self._known(target)
        self.orders.append(("approve", target, revision, by))
        return Revision(target=target, id=revision or "r8", fingerprint="f", seen_at=NOW)


class Api:
    """The app, what it was made from, and a client that talks to it over real HTTP when it is served."""

    def __init__(self, **changes):
        self.store, self.actions, self.metrics = filled(), Actions(), Metrics()
        self.alive = (True, "the loop turned 1 s ago")
        self.ready = (True, "ready")
        self.unexpected = []
        given = {
            "store": self.store,
            "roster": Roster([TARGET]),
            "metrics_text": self.metrics.text,
            "alive": lambda: self.alive,
            "ready": lambda: self.ready,
            "actions": self.actions,
            "token": SecretStr(TOKEN),
            "clock": SimpleNamespace(now=lambda: NOW + timedelta(minutes=1)),
            "unexpected": self.unexpected.append,
        }
        self.app = create_app(**{**given, **changes})
        self.server = Server(self.app, "127.0.0.1", 0)

    def get(self, path, **headers):
        return requests.get(self.server.url + path, headers=headers, timeout=within(10))

    def post(self, path, body, token=TOKEN, **headers):
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return requests.post(self.server.url + path, json=body, headers=headers, timeout=within(10))


@pytest.fixture
def make_api():
    """Make a served API; `changes` are create_app's."""
    made = []

    def make(**changes):
        api = Api(**changes)
        api.server.start()
        made.append(api)
        return api

    yield make
    for api in made:
        api.server.stop()


@pytest.fixture
def api(make_api):
    return make_api()


@pytest.fixture(scope="module")
def unserved():
    """The app alone, for tests that call it in process, and only look at its answers."""
    return Api()
