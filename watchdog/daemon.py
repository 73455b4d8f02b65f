"""The long-running process: APScheduler calls the engine and the outbox, the HTTP server answers, signals end it.

It decides nothing. A turn is taken every half second, and at once when a platform or a finished call says so.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import TYPE_CHECKING

from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from watchdog.app import App
from watchdog.errors import Refused, StoreDamaged, StoreUnavailable, Unavailable
from watchdog.histories import Page
from watchdog.store.base import SCRAPES_BYTES, SCRAPES_KEPT

if TYPE_CHECKING:
    from watchdog.web.server import Server

log = logging.getLogger(__name__)

TURN_SECONDS = 0.5
LOOK_SECONDS = 0.25
"""How often the main thread looks whether it is to stop."""
MAX_TURNS_AT_ONCE = 8
CALM_SECONDS = 20.0
"""For this long nothing of the state may fail before it is called usable again: turns that only read succeed on a full
disk too, and a claim is renewed (written) every 15 s."""
DEAD_AFTER_SECONDS = 15.0
"""Without a turn for this long, /healthz says so, and whoever supervises may restart the daemon."""


class Daemon:
    """Runs an app until it is told to stop."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._stopping = False
        self._stopped_by = ""
        self._again = threading.Event()
        self._turned_at = time.monotonic()
        self._trouble: str | None = None
        self._troubled_at = 0.0
        self._fatal: StoreDamaged | None = None
        self._threads = {"default": _Threads(2), "outbox": _Threads(max(1, len(app.outbox.names)))}
        self._scheduler = BackgroundScheduler(
            executors=self._threads,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        self._pages: dict[str, str] = {}
        """Why a page could not be scraped last time: said once."""
        self._server: Server | None = None

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or `stop`. Raises BadConfig when the address can't be had, StoreDamaged when the
        state turned out to be damaged."""
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a turn that is skipped is taken right after
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        self.start()
        try:
            # No Event.wait: a signal that the system gives to another thread does not wake it, and one that comes in
            # the middle of it would hang in Event.set.
            while not self._stopping:
                time.sleep(LOOK_SECONDS)
            log.info("%s: stopping", self._stopped_by or "asked to")
        finally:
            self.close()
        if self._fatal is not None:
            raise self._fatal

    def start(self) -> None:
        """Begin everything, and return."""
        app = self._app
        app.on_done.append(self._hurry)
        self._serve()
        for kind, platform in app.platforms.items():
            platform.start([t for t in app.roster.configured if t.spec.kind == kind], self._wake)
        self._scheduler.add_job(self._turn, "interval", seconds=TURN_SECONDS, id="turn", next_run_time=_now())
        for name in app.outbox.names:
            self._scheduler.add_job(
                self._deliver, "interval", seconds=1, args=[name], id=f"outbox {name}", executor="outbox"
            )
        self._scheduler.add_job(self._prune, "interval", hours=1, id="prune", next_run_time=_now())
        for page in app.history.pages():
            name, seconds = f"scrape {page.target} {page.url}", page.interval.total_seconds()
            self._scheduler.add_job(
                self._scrape, "interval", seconds=seconds, args=[page], id=name, next_run_time=_now()
            )
        self._scheduler.start()
        log.info("guarding %s as %s", app.roster.names(), app.owner)

    def stop(self) -> None:
        """Ask `run` to end. Any thread and any signal may call this."""
        self._stopping = True

    def close(self) -> None:
        """End everything that `start` began, in order: no new turns, then what is under way, then the state."""
        # The scheduler must not wait itself: it would hold the lock that a turn under way needs to hurry the next one.
        self._scheduler.shutdown(wait=False)
        for threads in self._threads.values():
            threads.join()
        for platform in self._app.platforms.values():
            platform.stop()
        if self._server is not None:
            self._server.stop()
        self._app.close()
        log.info("stopped")

    @property
    def url(self) -> str | None:
        """Where its HTTP answers, if it has any."""
        return self._server.url if self._server else None

    def alive(self) -> tuple[bool, str]:
        """Whether the loop turns."""
        since = time.monotonic() - self._turned_at
        if since > DEAD_AFTER_SECONDS:
            return False, f"the loop has not turned for {since:.0f} s" + (f": {self._trouble}" if self._trouble else "")
        return True, f"the loop turned {since:.1f} s ago"

    def ready(self) -> tuple[bool, str]:
        """Whether the state can be used and every platform answers."""
        if self._trouble is not None:
            return False, self._trouble
        engine = self._app.engine
        names = [t.name for t in self._app.targets]
        unseen = [n for n in names if not engine.looked(n) and (engine.last_tick is None or engine.owns(n))]
        if unseen:
            return False, f"not looked at yet: {', '.join(unseen)}"
        blind = engine.troubles()
        if blind:
            return False, "; ".join(f"{name}: {why}" for name, why in sorted(blind.items()))
        return True, f"{len(self._app.targets)} targets"

    def _serve(self) -> None:
        http, app = self._app.settings.http, self._app
        if http is None:
            return
        from watchdog.web.app import create_app  # noqa: PLC0415 -- 9 MB that a daemon without HTTP does without
        from watchdog.web.server import Server  # noqa: PLC0415

        web = create_app(
            store=app.store,
            roster=app.roster,
            metrics_text=self._metrics,
            alive=self.alive,
            ready=self.ready,
            actions=app.actions,
            token=http.token,
            clock=app.clock,
            host=http.host,
            unexpected=self._unexpected_in_web,
        )
        self._server = Server(web, http.host, http.port)
        self._server.start()

    def _turn(self) -> None:
        """As many turns as something is waiting for, with a bound."""
        for _ in range(MAX_TURNS_AT_ONCE):
            self._again.clear()
            if not self._one_turn() or not self._again.is_set():
                return

    def _one_turn(self) -> bool:
        began = time.monotonic()
        self._turned_at = began
        now = self._app.clock.now()
        try:
            self._app.engine.tick(now)
        except StoreUnavailable as error:
            if self._trouble is None:
                log.error("no turn without the state: %s", error)  # noqa: TRY400 -- the message says it all
            self._trouble, self._troubled_at = str(error), began
            return False
        except StoreDamaged as error:
            self._fatal = error
            self.stop()
            return False
        if self._trouble is not None and began - self._troubled_at >= CALM_SECONDS:
            log.warning("the state can be used again")
            self._trouble = None
        self._app.metrics.tick(timedelta(seconds=time.monotonic() - began), now)
        return True

    def _deliver(self, receiver: str) -> None:
        try:
            self._app.outbox.deliver(self._app.clock.now(), receiver)
        except StoreUnavailable as error:
            log.warning("cannot read the outbox: %s", error)

    def _scrape(self, page: Page) -> None:
        """Go on with a page's history; without it there is no baseline, which its rules say themselves."""
        try:
            self._app.history.scrape(page, self._app.clock.now())
        except (Unavailable, Refused) as error:
            if self._pages.get(page.url) != str(error):
                log.warning("the history of %s has a gap: %s", page.target, error)
            self._pages[page.url] = str(error)
        else:
            self._pages.pop(page.url, None)

    def _prune(self) -> None:
        try:
            now = self._app.clock.now()
            rows = self._app.store.prune(now - self._app.settings.retention)
            rows += self._app.store.prune_scrapes(now - SCRAPES_KEPT, SCRAPES_BYTES)
        except StoreUnavailable as error:
            log.warning("cannot drop old measurements: %s", error)
            return
        if rows:
            log.info("dropped %d old rows", rows)

    def _metrics(self) -> bytes:
        app = self._app
        app.metrics.observe_watches(app.store.open_watches(), len(app.targets))
        app.metrics.set_queue(*app.store.queue())
        now = app.clock.now()
        paused = {p.target for p in app.store.pauses() if p.until is None or now < p.until}
        for target in app.roster:
            app.metrics.observe_paused(target, target in paused)
        return app.metrics.text()

    def _wake(self, target: str) -> None:
        self._app.engine.wake(target)
        self._hurry()

    def _hurry(self) -> None:
        """Take the next turn now; if one is under way, right after it."""
        self._again.set()
        try:
            self._scheduler.modify_job("turn", next_run_time=_now())
        except JobLookupError:  # not started yet, or stopped: there is no next turn to hurry
            return

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self._stopped_by = signal.Signals(number).name
        self.stop()

    def _unexpected_in_web(self, error: BaseException) -> None:
        self._app.metrics.unexpected_error("web")
        if self._app.sentry is not None:
            self._app.sentry.capture(error)


class _Threads(BasePoolExecutor):  # type: ignore[misc]  # APScheduler has no types
    """APScheduler's calls, in threads that can be waited for without it."""

    def __init__(self, count: int) -> None:
        self._own = ThreadPoolExecutor(count, thread_name_prefix="watchdog-turn")
        super().__init__(self._own)

    def join(self) -> None:
        """Wait for what is under way: each call has its own time limit."""
        self._own.shutdown(wait=True)


def _now() -> datetime:
    """APScheduler's own time: only when to call, never what is judged."""
    return datetime.now(UTC)
