"""What an actor promises. Only `execute` and `preserve` change anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from watchdog.model.deploy import Revision, Snapshot
from watchdog.model.rollback import ActResult, Draft, Plan
from watchdog.model.target import Target


class Actor(Protocol):
    """Rolls one kind of target back."""

    def draft(self, target: Target, to: Revision, running: Snapshot) -> Draft:
        """What `execute` would do. Changes nothing.

        Raises Refused when it can't be done at all (an image is gone, a file can't be read), Unavailable when the
        platform does not answer.
        """
        ...

    def execute(self, target: Target, plan: Plan, to: Revision) -> ActResult:
        """Carry the plan out, within `target.rollback.timeout`.

        Never raises for what the platform does: a failure is a result. Safe to call again with the same plan after
        the watchdog was killed in the middle of it: what is already as planned is left alone.
        """
        ...

    def matches(self, target: Target, plan: Plan, running: Snapshot) -> Sequence[str]:
        """Where what runs differs from what the plan expects, in words; empty: the target is as planned. Pure."""
        ...

    def preserve(self, target: Target, keep: Sequence[Revision]) -> None:
        """See to it that these revisions can be brought back later (their images survive a prune), and let go of
        what was kept for others. Raises Unavailable or Refused."""
        ...
