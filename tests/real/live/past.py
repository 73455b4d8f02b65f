"""What Prometheus and the watchdog remember of a live service: some hours of the same service before the test.

The counters are drawn second by second from the distributions that the service itself draws each request from
(behaviour.py): as many requests, errors and latencies, with the same noise. They are 0 at each earlier deploy, as the
process was a new one. The watches of these deploys are in the store, as the daemon of that time would have left them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from tests.real.live.behaviour import BUCKETS, GOOD
from tests.real.live.guarded import LiveService
from watchdog.model.series import Series
from watchdog.model.watch import Watch, WatchState
from watchdog.store.base import Step


def past_of(service: LiveService, until: float) -> list[Series]:
    """A scrape each second up to `until` (unix seconds), as Prometheus would have it. The memory is as it is now."""
    chance = np.random.default_rng(service.seed)
    # Enough for 30 pretend watches, so that φ comes from the service's own past. Those beside a watch do not count.
    seconds = round(1800 + (36 + 2 * len(service.earlier)) * service.bake.total_seconds())
    at = until - seconds + 1 + np.arange(seconds)
    requests = chance.poisson(service.rate, seconds)
    failed = chance.binomial(requests, GOOD.errors)
    edges = np.array([GOOD.share_within(edge) for edge in BUCKETS])
    cells = chance.multinomial(requests, np.diff(np.concatenate([[0.0], edges, [1.0]])))
    within = np.cumsum(cells, axis=1)
    labels, deploys = {"job": service.name, "instance": f"127.0.0.1:{service.port}"}, deploys_of(service, until)
    counters = [
        ("http_requests_total", {"code": "200"}, requests - failed),
        ("http_requests_total", {"code": "500"}, failed),
    ]
    counters += [
        ("http_request_duration_seconds_bucket", {"le": le}, within[:, number])
        for number, le in enumerate([*map(str, BUCKETS), "+Inf"])
    ]
    found = [
        _series({"__name__": metric, **labels, **more}, at, _since(np.cumsum(counts), at, deploys))
        for metric, more, counts in counters
    ]
    container = {
        "__name__": "container_memory_working_set_bytes",
        **labels,
        "name": f"{service.name}-api-1",
        "id": "/docker/0",
    }
    # As many buffers as there are requests under way, more or less.
    found.append(_series(container, at, service.resident() + 65536.0 * np.round(chance.normal(0, 2, seconds))))
    return found


def deploys_of(service: LiveService, until: float) -> list[float]:
    """When its earlier deploys were."""
    return [until - ago for ago in service.earlier]


def watches_of(service: LiveService, until: float) -> Step:
    """The watches of its earlier deploys: all passed."""
    watches = []
    for number, deployed in enumerate(deploys_of(service, until)):
        opened = datetime.fromtimestamp(deployed, UTC)
        ended = opened + service.bake
        watches.append(
            Watch(
                id=f"{service.name}-past-{number}",
                target=service.name,
                environment="production",
                platform="command",
                revision=f"past-{number}",
                fingerprint=f"past-{number}",
                state=WatchState.passed,
                opened_at=opened,
                changed_at=opened,
                settled_at=opened,
                seen_at=ended,
                ended_at=ended,
                end_reason="bake time over",
                version=1,
            )
        )
    return Step(watches=tuple(watches))


def _since(sums: np.ndarray, at: np.ndarray, deploys: Sequence[float]) -> np.ndarray:
    """The counter, which begins at 0 with each deploy."""
    out = sums.astype(float)
    for deployed in deploys:
        first = int(np.searchsorted(at, deployed))
        if 0 < first < len(out):
            out[first:] = sums[first:] - sums[first - 1]
    return out


def _series(labels: dict[str, str], at: np.ndarray, values: np.ndarray) -> Series:
    return Series.of(labels, zip(at.tolist(), values.tolist(), strict=True))
