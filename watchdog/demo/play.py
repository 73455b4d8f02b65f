"""The demo from its beginning to its end: build the stage, start the real engine on it, deploy, watch, prove, clean up.

The engine gets a config file and nothing else. What is shown is read from its store, as any command reads it.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from watchdog.app import App, build
from watchdog.daemon import Daemon
from watchdog.demo import DONE, NO_STAGE, NOT_RECOVERED, Fault, Kind
from watchdog.demo.config import SERVICE, config_text
from watchdog.demo.ending import Ending, print_json, print_text
from watchdog.demo.interrupts import Interrupts
from watchdog.demo.live import View, view_for
from watchdog.demo.picture import Picture, phases, picture, watch_of
from watchdog.demo.proof import prove
from watchdog.demo.stage import BAD, GOOD, CommandStage, NoStage, Stage, StageFailed, Stopped
from watchdog.demo.traffic import NOBODY, Traffic
from watchdog.errors import StoreUnavailable, Unavailable
from watchdog.logs import Readable
from watchdog.model.watch import Watch, WatchState
from watchdog.report.views import history_view
from watchdog.settings import load
from watchdog.web.lookup import explanation_of

LOOK = 0.25
"""Seconds between two pictures."""
KNOWN_WITHIN = 30.0
ENDS_WITHIN = 50.0
"""Seconds from the deploy to the end of its watch."""
LOG_SHOWN = 3000


def perform(fault: Fault, kind: Kind, *, json: bool, image: str | None, console: Console) -> int:
    """Perform, print, and return the exit code."""
    began = time.monotonic()
    with Interrupts() as interrupts:
        with _folder() as folder, view_for(console, quiet=json) as view, logged(folder / "watchdog.log"):
            ending = Play(fault, kind, folder, image, view, interrupts).perform()
        seconds = time.monotonic() - began
        if json:
            print_json(ending, fault, kind, seconds, console)
        else:
            print_text(ending, console)
    return ending.code


class Play:
    """One performance."""

    def __init__(
        self, fault: Fault, kind: Kind, folder: Path, image: str | None, view: View, interrupts: Interrupts
    ) -> None:
        self._fault, self._kind, self._folder, self._image = fault, kind, folder, image
        self._view, self._interrupts, self._stop = view, interrupts, interrupts.stop
        self._began = time.monotonic()
        self._stage: Stage | None = None
        self._traffic: Traffic | None = None
        self._app: App | None = None
        self._daemon: Daemon | None = None
        self._deployed_at: datetime | None = None
        self._doing = ""

    def perform(self) -> Ending:
        """From nothing to nothing: whatever happens in between, all is taken away at the end."""
        try:
            stage = self._build()
            self._guard(stage)
            self._deploy(stage)
            watch = self._await_the_end(stage)
            return self._judge(stage, watch)
        except Stopped:
            return Ending(self._interrupts.code, "interrupted", "everything was taken away")
        except NoStage as missing:
            return Ending(NO_STAGE, "cannot begin", str(missing))
        except (StageFailed, Unavailable) as failure:
            return Ending(NOT_RECOVERED, "failed", str(failure), log=self._log())
        finally:
            self._close()

    def _build(self) -> Stage:
        """The stage, with the good version and its users on it."""
        if self._kind is Kind.compose:
            from watchdog.demo.compose import ComposeStage  # noqa: PLC0415 -- only what is used is loaded

            stage: Stage = ComposeStage(self._folder, self._fault, self._image)
        else:
            stage = CommandStage(self._folder, self._fault)
        self._stage = stage
        self._during(lambda: stage.start(self._stop), f"starting {GOOD} of a small service ({stage.kind} platform)")
        self._traffic = Traffic(stage.port)
        self._traffic.start()
        return stage

    def _guard(self, stage: Stage) -> None:
        """Write the config, start the engine on it, and wait until what runs is known good."""
        config = self._folder / "watchdog.yaml"
        config.write_text(config_text(stage.name, stage.kind, stage.target(), stage.port), encoding="utf-8")
        app = build(load(config, {}))
        self._app = app
        daemon = Daemon(app)
        daemon.start()
        self._daemon = daemon
        self._doing = f"{GOOD} serves; the watchdog gets to know it"
        deadline = time.monotonic() + KNOWN_WITHIN
        while not _known_good(app, stage.name):
            if time.monotonic() > deadline:
                raise StageFailed(f"{GOOD} did not become known good within {KNOWN_WITHIN:g} s")
            self._wait()

    def _deploy(self, stage: Stage) -> None:
        self._deployed_at = datetime.now(UTC)
        what = f"{BAD}, a good version" if self._fault is Fault.none else f"{BAD}, which has a fault: {self._fault}"
        self._during(lambda: stage.deploy(self._stop), f"{GOOD} is known good; deploying {what}")

    def _await_the_end(self, stage: Stage) -> Watch | None:
        """The watch of the deploy, once the engine has done with it; None if it has not in time."""
        assert self._app is not None
        deadline = time.monotonic() + ENDS_WITHIN
        while time.monotonic() < deadline:
            watch = watch_of(self._app.store, stage.name, self._deployed_at)
            self._doing = _doing(watch)
            self._wait()
            if watch is not None and (not watch.state.open or watch.state is WatchState.held):
                self._wait()  # one more picture: the last one stays
                return watch
        return None

    def _judge(self, stage: Stage, watch: Watch | None) -> Ending:
        """What the watchdog says, and what the service itself says."""
        assert self._app is not None
        if watch is None:
            words = f"the watch did not end within {ENDS_WITHIN:g} s of the deploy"
            return Ending(NOT_RECOVERED, "failed", words, log=self._log())
        wanted = WatchState.passed if self._fault is Fault.none else WatchState.recovered
        version = BAD if self._fault is Fault.none else GOOD
        proof = prove(stage.port, version)
        ok = watch.state is wanted and proof.ok
        store, targets = self._app.store, {t.name: t for t in self._app.targets}
        bookmark = store.bookmark(stage.name)
        running = bookmark.revision if bookmark else None
        return Ending(
            DONE if ok else NOT_RECOVERED,
            "failed" if not ok else "known good" if self._fault is Fault.none else "recovered",
            f"the watchdog says: {watch.state.value}: {watch.end_reason}\nthe service says: {proof.words}",
            phases=phases(watch, store.events(watch_id=watch.id), self._deployed_at, passes=self._fault is Fault.none),
            story=explanation_of(store, targets, watch.incident) if watch.incident else None,
            history=history_view(targets[stage.name], store.revisions(stage.name), store.watches(stage.name), running),
            log="" if ok else self._log(),
        )

    def _during(self, call: Callable[[], None], doing: str) -> None:
        """Let the call run in a thread, and go on showing what happens. Raises what the call raises."""
        self._doing = doing
        with ThreadPoolExecutor(1, thread_name_prefix="stage") as executor:
            future = executor.submit(call)
            while not wait([future], LOOK).done:
                self._show()
            future.result()
        self._wait(0)

    def _wait(self, seconds: float = LOOK) -> None:
        """Show the picture, and wait. Raises Stopped."""
        self._show()
        if self._stop.wait(seconds) or self._stop.is_set():
            raise Stopped

    def _show(self) -> None:
        with contextlib.suppress(StoreUnavailable):  # it was busy: the next picture shows it
            self._view.show(self._picture())

    def _picture(self) -> Picture:
        return picture(
            self._app.store if self._app else None,
            self._stage.name if self._stage else SERVICE,
            fault=self._fault.value,
            platform=self._kind.value,
            seconds=time.monotonic() - self._began,
            doing=self._doing,
            deployed_at=self._deployed_at,
            felt=self._traffic.felt() if self._traffic else NOBODY,
        )

    def _close(self) -> None:
        """Users first, then the engine, then the service: a rollback under way must not bring back what is gone."""
        with contextlib.ExitStack() as last:  # in reverse order; each of them, also when one before it fails
            if self._stage is not None:
                last.callback(self._stage.close)
            if self._daemon is not None:
                last.callback(self._daemon.close)
            elif self._app is not None:
                last.callback(self._app.close)
            if self._traffic is not None:
                last.callback(self._traffic.close)

    def _log(self) -> str:
        path = self._folder / "watchdog.log"
        return path.read_text(encoding="utf-8", errors="replace")[-LOG_SHOWN:] if path.exists() else ""


def _known_good(app: App, target: str) -> bool:
    """Whether what runs was seen, recorded and is known good."""
    bookmark = app.store.bookmark(target)
    revision = app.store.revision(target, bookmark.revision) if bookmark else None
    return revision is not None and revision.known_good and bool(revision.recorded)


_DOING = {
    WatchState.arriving: "the deploy was seen; its rollout is not finished",
    WatchState.watching: "watching it: the rules are measured every second",
    WatchState.condemned: "a rule tripped: saving the evidence, asking the guard, working out the rollback",
    WatchState.rolling_back: f"rolling back to {GOOD}",
    WatchState.verifying: "rolled back; proving that it helped",
    WatchState.recovered: f"recovered: {GOOD} serves again, and passes",
    WatchState.passed: f"{BAD} is known good",
}


def _doing(watch: Watch | None) -> str:
    if watch is None:
        return f"{BAD} is deployed; nobody told the watchdog"
    return _DOING.get(watch.state, f"the watch is {watch.state.value}: {watch.end_reason}")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="watchdog-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextlib.contextmanager
def logged(path: Path) -> Iterator[None]:
    """Keep the engine's log in a file, and out of the view."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(Readable())
    root, ours = logging.getLogger(), logging.getLogger("watchdog")
    level = ours.level
    root.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        ours.setLevel(level)
        handler.close()
