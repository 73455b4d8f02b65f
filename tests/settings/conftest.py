from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from watchdog.errors import BadConfig
from watchdog.settings import Settings, load

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRON = {"WATCHDOG_TOKEN": "open-sesame", "HOOK_SECRET": f"whsec_{SECRET}", "EMPTY": "", "SHORT": "hunter2"}

Config = Callable[..., Settings]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Writes the text as watchdog.yaml and loads it."""

    def read(text: str, **environ: str) -> Settings:
        path = tmp_path / "watchdog.yaml"
        path.write_text(text)
        return load(path, {**ENVIRON, **environ})

    return read


@pytest.fixture
def problems(config: Config, tmp_path: Path) -> Callable[..., list[str]]:
    """The lines that loading the text complains with, without the folder's name."""

    def read(text: str, **environ: str) -> list[str]:
        with pytest.raises(BadConfig) as caught:
            config(text, **environ)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return read
