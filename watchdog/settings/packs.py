"""Finds the rule packs that ship with it: in `watchdog/rules` of an installed package, in `rules/` of a checkout."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from watchdog.settings.wording import suggestion


def folder() -> Path:
    """Where the packs are."""
    package = Path(str(files("watchdog")))
    installed = package / "rules"
    return installed if installed.is_dir() else package.parent / "rules"


def shipped() -> dict[str, Path]:
    """Each pack's name and file."""
    return {path.stem: path for path in sorted(folder().glob("*.yaml")) if "." not in path.stem}


def find(name: str, relative_to: Path) -> Path:
    """The file of a pack's name, or of a path (it ends in .yaml or .yml, or has a slash in it).

    Raises ValueError that lists the packs there are.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return relative_to / name
    packs = shipped()
    if name in packs:
        return packs[name]
    raise ValueError(
        f"there is no rule pack {name!r}; {suggestion(name, packs)}the packs are {', '.join(packs) or 'missing'}; "
        f"a file of yours ends in .yaml"
    )
