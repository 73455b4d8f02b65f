"""What is remembered of a release between two snapshots: its body's facts, how often its older pods had crashed before
the revision came, and the last words of containers that crashed.

Small, and only of releases that were looked at; all of it can be read again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.releases import Release
from watchdog.observe.helm import pods as read
from watchdog.observe.helm import read as helm_read
from watchdog.observe.helm.manifest import Facts
from watchdog.observe.helm.seen import Seen

MOST_TARGETS = 1_000
MOST_CONTAINERS = 1_000


@dataclass
class Known:
    """Of one target's newest revision."""

    uid: str = ""
    written: tuple[str, datetime] | None = None
    facts: Facts = field(default_factory=Facts)
    hook_words: Mapping[str, str] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    words: OrderedDict[tuple[str, int], str] = field(default_factory=OrderedDict)


class Memory:
    """By target. Safe to use from several threads, for different targets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Known] = OrderedDict()

    def facts(self, target: str, release: Release) -> Facts | None:
        """What is known of this revision's body, if it was not written since."""
        known = self._known.get(target)
        return known.facts if known and (known.uid, known.written) == (release.uid, _written(release)) else None

    def learn(self, target: str, release: Release, facts: Facts, hook_words: Mapping[str, str]) -> None:
        """Keep a body's facts. Of another revision everything else is forgotten."""
        known = self._of(target, release)
        known.written, known.facts, known.hook_words = _written(release), facts, hook_words

    def forget(self, target: str) -> None:
        """The release is gone."""
        with self._lock:
            self._known.pop(target, None)

    def complete(self, target: str, cluster: Cluster, seen: Seen, now: datetime) -> Seen:
        """With what earlier snapshots saw, and the logs of what crashed since."""
        known, since = self._of(target, seen.release), seen.release.created
        each = [c for w in seen.workloads for pod in w.pods for c in read.containers(w.ref.name, pod)]
        crashed = []
        for c in each:
            if read.created(c.pod) < since and len(known.before) < MOST_CONTAINERS:
                known.before.setdefault(c.key, read.ends_before(c, since))
            if c.ends and (c.key, c.ends) not in known.words and any(read.exits(c, since, 0, now)):
                crashed.append(c)
        counted = {c.key: c.ends for c in each}
        for key, said in helm_read.last_words(cluster, crashed).items():
            known.words[key, counted[key]] = said
        while len(known.words) > MOST_CONTAINERS:
            known.words.popitem(last=False)
        words = {key: known.words.get((key, ends), "") for key, ends in counted.items()}
        return replace(seen, before=known.before, last_words=words, hook_words=known.hook_words)

    def selectors(self, seen: Seen) -> tuple[dict[str, str], ...]:
        """What the pods of the release's workloads are labelled with."""
        found = (((w.thing or {}).get("spec") or {}).get("selector") or {} for w in seen.workloads)
        return tuple(dict(one["matchLabels"]) for one in found if one.get("matchLabels"))

    def _of(self, target: str, release: Release) -> Known:
        with self._lock:
            known = self._known.get(target)
            if known is None or known.uid != release.uid:
                known = self._known[target] = Known(uid=release.uid)
            self._known.move_to_end(target)
            while len(self._known) > MOST_TARGETS:
                self._known.popitem(last=False)
            return known


def _written(release: Release) -> tuple[str, datetime]:
    return release.status, release.modified
