"""The fields of each event's `detail`: the contract with whoever reads our webhooks.

docs/events.md shows one example of each kind; the tests hold the page, the engine and this table together. Fields are
added, never renamed or removed. A field that does not apply is null or absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from watchdog.model.incident import EventKind

_FIELDS = {
    EventKind.deploy_seen: "previous summary",
    EventKind.watch_passed: "seconds measurements",
    EventKind.watch_superseded: "by_revision reason",
    EventKind.watch_extended: "blind_seconds reason",
    EventKind.watch_blind: "rule reason",
    EventKind.rule_tripped: "rule summary trigger action mode reason query seconds_after_deploy",
    EventKind.would_roll_back: "rules reason would_roll_back_to changes warnings objection",
    EventKind.rollback_started: "from_revision to_revision reason changes warnings automatic by",
    EventKind.rollback_finished: "from_revision to_revision ok reason seconds",
    EventKind.rollback_seen: "from_revision to_revision known_good",
    EventKind.recovered: "rules reason from_revision to_revision seconds_to_detect seconds_to_recover verification",
    EventKind.failed: "rules reason from_revision to_revision seconds_to_detect seconds_to_recover verification",
    EventKind.blocked: "objection objections reason rules",
    EventKind.held: "reason rules expires_at",
    EventKind.hold_ended: "outcome by",
    EventKind.paused: "until reason by",
    EventKind.resumed: "until reason by",
}

DETAIL_FIELDS: Mapping[EventKind, frozenset[str]] = MappingProxyType(
    {kind: frozenset(names.split()) for kind, names in _FIELDS.items()}
)
"""Every kind that is sent → the fields its `detail` may have."""
