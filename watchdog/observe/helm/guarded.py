"""Which targets a release belongs to: its own, else those of the patterns that stand for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.kubernetes.releases import Release
from watchdog.model.target import HelmSpec, Target


class Guarded:
    """The targets of one cluster."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._own: dict[tuple[str, str], list[str]] = {}
        self._patterns: list[tuple[Target, HelmSpec]] = []
        for target in targets:
            if not isinstance(target.spec, HelmSpec):
                continue
            if target.is_pattern:
                self._patterns.append((target, target.spec))
            else:
                self._own.setdefault((target.spec.namespace, target.spec.release), []).append(target.name)

    def names(self, release: Release) -> list[str]:
        """The names of the targets that this release is, or is found as."""
        own = self._own.get((release.namespace, release.name))
        if own:
            return own
        if not release.guarded:
            return []
        return [
            pattern.found(release.namespace, release.name).name
            for pattern, spec in self._patterns
            if stands_for(spec, release)
        ]


def stands_for(spec: HelmSpec, release: Release) -> bool:
    """Whether a pattern stands for this release, its switch aside."""
    return (
        spec.namespace in ("*", release.namespace)
        and spec.release in ("*", release.name)
        and not {release.name, f"{release.namespace}/{release.name}"}.intersection(spec.exclude)
    )
