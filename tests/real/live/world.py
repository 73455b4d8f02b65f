"""Everything of the live proof at once: the services and their users, a Prometheus that remembers them, one daemon."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import requests

from tests.real.backfill import backfill
from tests.real.daemon import Daemon
from tests.real.live.guarded import LiveService
from tests.real.live.past import past_of, watches_of
from tests.real.live.traffic import Traffic
from tests.real.prometheus_server import PrometheusServer
from tests.waiting import wait_until, within
from watchdog.model.watch import Watch

SEEN = 10
"""Seconds for which a new process serves its users before the next thing happens."""


class World:
    """Started once for all tests. A call waits for what it did to be over; several threads may do so side by side."""

    def __init__(self, folder: Path, services: Sequence[LiveService]) -> None:
        self._closed = threading.Event()
        self.services = {service.name: service for service in services}
        self.traffic = Traffic({service.port: service.rate for service in services})
        jobs = "".join(
            f'  - job_name: {s.name}\n    static_configs: [{{targets: ["127.0.0.1:{s.port}"]}}]\n' for s in services
        )
        self.prometheus = PrometheusServer(folder, config=f"global: {{scrape_interval: 1s}}\nscrape_configs:\n{jobs}")
        document = {
            "sources": {"prometheus": {"url": self.prometheus.url, "timeout": "60s"}},
            "targets": [service.target() for service in services],
        }
        self.daemon = Daemon(folder, document, dict(os.environ), services[0].name)

    def start(self) -> None:
        """First the services; then their past; then those who look at them."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda service: service.run("deploy", "v1"), self.services.values()))
        self.traffic.start()
        self.until(lambda: min(self.traffic.answered.values()) > 100, "the first requests")
        until = float(int(time.time()) - 1)
        backfill(self.prometheus.data, [one for s in self.services.values() for one in past_of(s, until)])
        for service in self.services.values():
            self.daemon.store.save(watches_of(service, until))
        self.prometheus.start()
        self.daemon.start(seen=False)
        for name in self.services:
            self.until(lambda name=name: self.daemon.store.bookmark(name), f"first sight of {name}")
        self.serves(*self.services)

    def close(self) -> None:
        """The daemon first, so that it does not take the end of the rest for a fault."""
        self._closed.set()
        with ExitStack() as ends:
            ends.callback(self.prometheus.close)
            for service in self.services.values():
                ends.callback(service.run, "stop")
            ends.callback(self.traffic.close)
            ends.callback(self.daemon.close)

    def deploy(self, name: str, version: str) -> Watch:
        """Deploy, and wait for the end of its watch, however it ends."""
        service = self.services[name]
        service.run("deploy", version)

        def ended() -> bool:
            watch = self.watch(name)
            return (
                watch is not None and watch.revision == version and (watch.ended_at is not None or not watch.state.open)
            )

        # A watch that saw too little is as long again; a rollback has two minutes to prove itself.
        self.until(ended, f"the end of the watch of {name} {version}", service.bake.total_seconds() + 60)
        watch = self.watch(name)
        assert watch is not None
        return watch

    def restart(self, name: str) -> None:
        """The same version in a new process, and some requests to it."""
        service = self.services[name]
        before = service.process
        service.run("restart")
        assert service.process != before
        self.serves(name)

    def serves(self, *names: str) -> None:
        """Wait until the processes that run now were scraped for a while."""
        since = time.time()
        query = f'min(min_over_time(up{{job=~"{"|".join(names)}"}}[{SEEN}s]))'
        self.until(lambda: time.time() - since > SEEN and self.ask(query) == 1, f"{names} to be scraped for {SEEN} s")

    def ask(self, query: str) -> float | None:
        """The one value of an instant query."""
        answer = requests.get(f"{self.prometheus.url}/api/v1/query", params={"query": query}, timeout=within(5)).json()
        (found,) = answer["data"]["result"] or [None]
        return None if found is None else float(found["value"][1])

    def watch(self, name: str) -> Watch | None:
        return next(iter(self.daemon.store.watches(name, limit=1)), None)

    def until(self, true: Callable[[], object], what: str, seconds: float = 60) -> None:
        """Wait for it; asked seldom enough for many threads."""

        def there() -> object:
            assert not self._closed.wait(0.5), f"it was closed while somebody waited for: {what}"
            return true()

        try:
            wait_until(there, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.daemon.log()}") from error

    def story(self, name: str) -> str:
        return "\n".join(f"{e.at:%H:%M:%S} {e.message}" for e in self.daemon.store.events(target=name))
