"""The real things a test needs: skipped by name where one is missing on a person's machine, a failure in CI."""

from __future__ import annotations

import os

import pytest


def require(name: str, found: bool) -> None:
    """Skip the test when `name` is not here; under CI=true fail it, so that nothing goes untested unseen."""
    if found:
        return
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{name} is missing; CI installs it with scripts/test-deps", pytrace=False)
    pytest.skip(f"{name} is missing")
