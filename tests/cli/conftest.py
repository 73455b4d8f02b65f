from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A service whose v1 runs, and a config that guards it."""
    return Shop(tmp_path)
