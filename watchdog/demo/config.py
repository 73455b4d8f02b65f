"""The config of the demo's target: a file like anybody's, with rules that ask the service's own /metrics.

The thresholds are honest: a healthy version is far below them, also on a slow and busy machine. Only the times are
shorter than a real service would have.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

SERVICE = "shop"
VERIFY_FOR = "4s"


@dataclass(frozen=True)
class Shown:
    """One rule, as the live view shows it."""

    rule: str
    sign: Literal[">", ">=", "<"]
    limit: float
    """It fails when the value is > (>=, <) this."""
    unit: str = ""
    scale: float = 1.0
    """The unit's size: 0.01 shows a share in percent."""

    @property
    def low_is_bad(self) -> bool:
        """Whether small numbers fail."""
        return self.sign == "<"

    def fails(self, value: float) -> bool:
        """What the rule's own condition says of one number."""
        return value < self.limit if self.low_is_bad else value > self.limit or (self.sign, value) == (">=", self.limit)


RULES = (
    Shown("latency-p95", ">", 0.25, "s"),
    Shown("error-share", ">", 0.05, "%", 0.01),
    Shown("memory", ">", 100e6, "MB", 1e6),
    Shown("cpu", ">", 0.3, "cores"),
    Shown("crash-loop", ">=", 2, "exits"),
    Shown("probe-healthz", "<", 1),
)

_RULES = """\
    rules:
      - name: latency-p95
        trigger: performance
        summary: 95th percentile latency of {{ release }} is over 0.25 s
        scrape: {url: "{{ url }}/metrics", quantile: {buckets: http_request_duration_seconds_bucket, q: 0.95}, over: 5s}
        fail_when: value > 0.25
        for: 3s
      - name: error-share
        trigger: errors
        summary: more than 5 % of the requests to {{ release }} fail
        scrape:
          url: "{{ url }}/metrics"
          ratio: {events: 'http_requests_total{code=~"5.."}', total: http_requests_total}
          over: 5s
        fail_when: value > 0.05
        for: 3s
      - name: memory
        trigger: performance
        summary: "{{ release }} holds more than 100 MB"
        scrape: {url: "{{ url }}/metrics", value: process_resident_memory_bytes}
        fail_when: value > 100e6
        for: 2s
      - name: cpu
        trigger: performance
        summary: "{{ release }} uses more than 0.3 cores"
        scrape: {url: "{{ url }}/metrics", rate: process_cpu_seconds_total, over: 4s}
        fail_when: value > 0.3
        for: 3s
      - name: crash-loop
        trigger: crash
        summary: "{{ release }} keeps crashing"
        crashes: exits
        fail_when: value >= 2
        consecutive_failures: 1
    probes:
      - {name: healthz, http: "{{ url }}/healthz", timeout: 1s, consecutive_failures: 3}
"""

_WATCH = f"""\
    watch: {{bake_time: 16s, initial_delay: 1s, interval: 1s, settle: 1s, rollout_timeout: 15s}}
    rollback: {{first_known_good: running, verify_for: {VERIFY_FOR}, verify_timeout: 15s, timeout: 30s}}
"""


def config_text(name: str, kind: str, platform: dict[str, Any], port: int) -> str:
    """The whole file, for a target of this kind (`command` or `compose`) whose service answers on this port."""
    return (
        "store: sqlite:///state.db\n"
        "targets:\n"
        f"  - name: {name}\n"
        "    environment: demo\n"
        f"    {kind}:\n"
        + "".join(f"      {key}: {json.dumps(value)}\n" for key, value in platform.items())
        + f'    vars: {{url: "http://127.0.0.1:{port}"}}\n'
        + _RULES
        + _WATCH
    )
