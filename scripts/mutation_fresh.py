"""A pytest plugin for mutation tests: each mutant begins with empty caches.

mutmut tests a mutant in a copy of a process in which all tests ran before. What `lru_cache` kept there of the unchanged
code would be given instead of the mutant's answer, and the mutant would survive.
"""

from __future__ import annotations

import sys
from functools import _lru_cache_wrapper


def pytest_sessionstart() -> None:
    """Empty the caches of the package's functions."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "watchdog":
            for value in list(vars(module).values()):
                if isinstance(value, _lru_cache_wrapper):
                    value.cache_clear()
