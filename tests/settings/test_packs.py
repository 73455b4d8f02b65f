"""Where rule packs are found: in a checkout, and in an installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchdog.settings import packs


def test_the_packs_that_ship() -> None:
    assert list(packs.shipped()) == ["cpu", "crash", "errors", "health", "kubernetes", "latency", "memory"]


def test_an_installed_package_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "watchdog" / "rules"
    installed.mkdir(parents=True)
    (installed / "crash.yaml").touch()
    (installed / "crash.test.yaml").touch()
    monkeypatch.setattr(packs, "files", lambda package: tmp_path / package)
    assert packs.shipped() == {"crash": installed / "crash.yaml"}


def test_a_path_is_a_file_beside_the_config(tmp_path: Path) -> None:
    assert packs.find("mine.yaml", tmp_path) == tmp_path / "mine.yaml"
    assert packs.find("./mine", tmp_path) == tmp_path / "mine"
    assert packs.find("/etc/rules/mine.yml", tmp_path) == Path("/etc/rules/mine.yml")


def test_a_name_that_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="there is no rule pack 'craash'; did you mean crash\\? the packs are cpu, crash"
    ):
        packs.find("craash", tmp_path)
