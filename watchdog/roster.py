"""All targets by name: those of the config, and the releases that its patterns stand for, as they are met.

A found target's name says which pattern and which release it is (`Target.named`), so one that was met before a restart
is known again without asking the platform.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from watchdog.model.target import Target


class Roster(Mapping[str, Target]):
    """Name → target. Iterates over the configured targets and those found so far, never over patterns."""

    def __init__(self, configured: Sequence[Target]) -> None:
        self.configured = tuple(configured)
        """As in the config, patterns among them: what platforms listen for."""
        self._patterns = [t for t in configured if t.is_pattern]
        self._known = {t.name: t for t in configured if not t.is_pattern}

    def __getitem__(self, name: str) -> Target:
        """The target of that name, met or not."""
        known = self._known.get(name)
        if known is not None:
            return known
        for pattern in self._patterns:
            found = pattern.named(name)
            if found is not None:
                return found
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._known))

    def __len__(self) -> int:
        return len(self._known)

    @property
    def known(self) -> frozenset[str]:
        """The names that iteration gives."""
        return frozenset(self._known)

    def meet(self, names: Iterable[str]) -> None:
        """Count these among the found ones, where a pattern stands for them."""
        for name in names:
            if name not in self._known and name in self:
                self._known[name] = self[name]

    def forget(self, name: str) -> None:
        """A found release is gone; configured targets stay."""
        if all(t.name != name for t in self.configured):
            self._known.pop(name, None)

    def names(self) -> str:
        """For error messages: what there is, patterns as `NAME.*`."""
        return ", ".join(sorted(t.name + ".*" * t.is_pattern for t in self.configured)) or "none"
