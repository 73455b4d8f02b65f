"""Each right that the chart grants, and why: what reads or changes it. The chart may grant nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from watchdog.model.target import HelmSpec
from watchdog.observe.helm.check import rights

Verb = tuple[str, str, str]
"""Group, resource, verb."""

APPLIED = {
    "get": "what is there, to compare with the revision that is brought back",
    "list": "--wait: what became of it",
    "watch": "what becomes of a hook",
    "create": "what the bad revision no longer has",
    "patch": "what changed",
    "delete": "what only the bad revision has",
}
"""What `helm rollback` does with the kinds that releases hold."""

STORED = {
    "create": "Helm writes the new revision",
    "update": "Helm writes how it ended",
    "patch": "the watchdog marks the revision that is its plan's",
}
"""What is done with Helm's own record."""

OWNERS = {
    ("argoproj.io", "applications"): "whether Argo CD would undo it",
    ("helm.toolkit.fluxcd.io", "helmreleases"): "whether Flux would undo it",
    ("kustomize.toolkit.fluxcd.io", "kustomizations"): "whether Flux would undo it",
}


def reading(storage: str = "secret") -> dict[Verb, str]:
    """What the program says that it reads: `watchdog check` asks for the same."""
    spec = HelmSpec.model_validate({"release": "*", "namespace": "staging", "storage": storage})
    return {(r.group, r.resource, verb): "observe/helm" for r in rights(spec) for verb in r.verbs}


def needed(applied: Iterable[tuple[str, str]], storage: str = "secret", *, suspend: bool = False) -> dict[Verb, str]:
    """All of it, for releases that hold these kinds (group, resource)."""
    found = reading(storage)
    found |= {(group, kind, verb): why for group, kind in applied for verb, why in APPLIED.items()}
    found |= {("", f"{storage}s", verb): why for verb, why in STORED.items()}
    for (group, kind), why in OWNERS.items():
        found |= {(group, kind, "get"): why} | ({(group, kind, "patch"): "to suspend it"} if suspend else {})
    return found


def granted(role: dict[str, Any]) -> set[Verb]:
    """What a Role grants."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
