from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.worlds import Case, Command, Fake

CASES: dict[str, Callable[[Path], Case]] = {"fake": Fake, "command": Command}


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """Each platform with its actor, in turn."""
    return CASES[request.param](tmp_path)
