"""A server on the wire for each test that wants one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.observe.wire import Wire, serving


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Answers with the bytes the test says."""
    with serving() as server:
        yield server
