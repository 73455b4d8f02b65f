"""How the live services behave, good and bad. Drawn by the service for each request, and by past.py for its history:
what was before a deploy and what comes after it differ by the fault alone. Standard library only.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

RATE = 40.0
"""Requests a second, arriving at random (Poisson)."""
BUCKETS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
"""Seconds: the histogram's edges."""
IN_FLIGHT = 128 << 10
"""Bytes that a request holds while it is worked on, so that the memory is never quite still."""
MEMORY_LIMIT = 512 << 20
"""Bytes: what the container may have."""


@dataclass(frozen=True)
class Behaviour:
    """One version. The good one is the default; every threshold of the packs is above what a bad one does."""

    errors: float = 0.005
    """The chance of a request to fail."""
    median: float = 0.22
    """Seconds; latencies are log-normal. Long beside what a busy machine adds to each request."""
    spread: float = 0.4
    """Standard deviation of the latency's logarithm: the 99th percentile is 0.56 s."""
    leak: int = 0
    """Bytes that each request never gives back."""

    def fails(self, chance: random.Random) -> bool:
        """Whether a request fails."""
        return chance.random() < self.errors

    def seconds(self, chance: random.Random) -> float:
        """How long a request takes."""
        return chance.lognormvariate(math.log(self.median), self.spread)

    def share_within(self, seconds: float) -> float:
        """The share of requests that take at most so long."""
        return 0.5 * (1 + math.erf(math.log(seconds / self.median) / (self.spread * math.sqrt(2))))


GOOD = Behaviour()
BEHAVIOURS = {
    "good": GOOD,
    "errors": Behaviour(errors=0.03),
    "latency": Behaviour(median=1.5 * GOOD.median),
    "leak": Behaviour(leak=4 << 10),
}
"""What a release may be. The bad ones: errors from 0.5 to 3 %; latency ×1.5; 4 KiB a request, 10 MB a minute."""
