"""Rolls a Helm release back: `helm rollback RELEASE REVISION --wait`, to a revision that is named, never beside another
operation.

What Helm would refuse half-way is found out first, by comparing the two revisions' manifests with what is there. The
revision that is made carries the plan's mark from its birth, so that a watchdog killed in the middle, also by its own
rollback, knows it again and finishes the same plan. Nothing is forced, and nothing of Helm's history is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from watchdog.act.helm_changes import compare
from watchdog.act.helm_cluster import (
    Api,
    Kinds,
    not_served,
    read_live,
    suspend,
    unmarked_application,
    with_their_objects,
)
from watchdog.act.helm_command import arguments, environment, last_words, major_version, still_running
from watchdog.act.helm_draft import SUSPENDED, Found, Says, application_names, questions, say
from watchdog.act.helm_owners import Owner, owners
from watchdog.act.helm_plan import FAILED, Stored, mark_of, matches, next_step
from watchdog.errors import Refused, Unavailable
from watchdog.model.deploy import Phase, Revision, Snapshot
from watchdog.model.masking import mask
from watchdog.model.rollback import ActResult, Draft, Plan
from watchdog.model.target import HelmSpec, Target
from watchdog.subprocesses import run

OUTPUT_KEPT = 16 * 1024
"""Bytes of what Helm printed, the last ones."""

BETWEEN = 10
"""Revisions between the two whose hooks are looked at; a body can be 1 MiB."""

_LOOK = 0.5  # seconds between looks at a helm that a killed watchdog left behind
