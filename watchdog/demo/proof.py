"""The demo's own look at the service, over HTTP: it does not take the watchdog's word for the recovery."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any

from watchdog.demo.config import RULES

REQUESTS = 20
"""How often / is asked. A version of which a third fails gets through with a chance of 1 in 3,000."""
LIMIT = next(rule.limit for rule in RULES if rule.rule == "latency-p95")


@dataclass(frozen=True)
class Proof:
    """Whether the service is well, and what was seen, in words."""

    ok: bool
    words: str


def serves(port: int, version: str) -> bool:
    """Whether this version answers that it is healthy."""
    status, body, _ = _ask(port, "/healthz")
    return status == 200 and body.get("version") == version


def prove(port: int, version: str) -> Proof:
    """Ask for the version and the health, and use the service as its users do."""
    status, body, _ = _ask(port, "/healthz")
    if status != 200:
        return Proof(False, f"/healthz answers {status or 'nothing'}")
    if body.get("version") != version:
        return Proof(False, f"version {body.get('version')} answers, not {version}")
    answers = [_ask(port, "/") for _ in range(REQUESTS)]
    failed = sum(code != 200 for code, _, _ in answers)
    others = {str(said.get("version")) for code, said, _ in answers if code} - {version}
    median = sorted(seconds for _, _, seconds in answers)[REQUESTS // 2]
    if failed or others:
        of = f", also version {', '.join(others)} answers" if others else ""
        return Proof(False, f"{failed} of {REQUESTS} requests failed{of}")
    if median > LIMIT:
        return Proof(False, f"{version} answers slowly: the median of {REQUESTS} requests took {median:.2f} s")
    took = f"{REQUESTS} of {REQUESTS} requests answered 200, the median in {median * 1000:.0f} ms"
    return Proof(True, f"{version} answers and is healthy; {took}")


def _ask(port: int, path: str) -> tuple[int, dict[str, Any], float]:
    """Status (0: no answer), the JSON it answered, and the seconds it took."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = json.loads(response.read(65536))
    except (OSError, http.client.HTTPException, ValueError):
        return 0, {}, time.monotonic() - began
    finally:
        connection.close()
    return response.status, body if isinstance(body, dict) else {}, time.monotonic() - began
