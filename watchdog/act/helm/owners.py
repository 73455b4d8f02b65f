"""Who would put the bad version back: Argo CD and Flux, by the marks they leave on a release's objects.

Pure. Flux's helm-controller labels every object of the release; Argo CD writes a tracking annotation or label on what
it applies. Whether an owner acts by itself (it is not suspended, automated sync is on) is read from the owner itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from watchdog.act.helm.changes import Key, Object, at, key_of

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
ARGO, HELM_TOOLKIT, KUSTOMIZE_TOOLKIT = "argoproj.io", "helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"
ASKED = 3
"""Live objects asked for marks: a tool marks all of a release's objects, or none."""

_TRACKING = "argocd.argoproj.io/tracking-id"
_ARGO_INSTANCE = "argocd.argoproj.io/instance"
_INSTANCE = "app.kubernetes.io/instance"

OwnerKind = Literal["HelmRelease", "Kustomization", "Application"]


@dataclass(frozen=True, slots=True)
class Owner:
    """A GitOps object that owns the release."""

    kind: OwnerKind
    namespace: str | None
    """None: not known; an Argo CD Application is in Argo CD's own namespace."""
    name: str
    marked: str
    """Where that was read: `Deployment/app has the annotation …`."""

    @property
    def group(self) -> str:
        """Its API group."""
        return {"HelmRelease": HELM_TOOLKIT, "Kustomization": KUSTOMIZE_TOOLKIT, "Application": ARGO}[self.kind]

    @property
    def tool(self) -> str:
        """Whose it is."""
        return "Argo CD" if self.kind == "Application" else "Flux"

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def owner_questions(things: Mapping[Key, Object]) -> list[Key]:
    """The live objects whose marks are worth reading: workloads first."""
    return sorted(things, key=lambda key: key.kind not in WORKLOADS)[:ASKED]


def owners(things: Iterable[Object], namespace: str) -> list[Owner]:
    """The owners that the objects' labels and annotations name, each once. `things` are manifests and live objects;
    what the chart itself sets is not distinguished from what the tool set."""
    found: dict[tuple[str, str | None, str], Owner] = {}
    for thing in things:
        for owner in _marks(thing, namespace):
            found.setdefault((owner.kind, owner.namespace, owner.name), owner)
    return list(found.values())


def _marks(thing: Object, namespace: str) -> list[Owner]:
    labels, annotations = at(thing, "metadata.labels") or {}, at(thing, "metadata.annotations") or {}
    key = key_of(thing, namespace)
    found = []
    flux: tuple[tuple[OwnerKind, str], ...] = (("HelmRelease", HELM_TOOLKIT), ("Kustomization", KUSTOMIZE_TOOLKIT))
    for kind, group in flux:
        name, there = labels.get(f"{group}/name"), labels.get(f"{group}/namespace")
        if name:
            found.append(Owner(kind, str(there or namespace), str(name), f"{key} has the label {group}/name"))
    tracking = str(annotations.get(_TRACKING) or "")
    if ":" in tracking:
        # APPLICATION:GROUP/KIND:NAMESPACE/NAME; an Application outside Argo CD's namespace is NAMESPACE_APPLICATION.
        head = tracking.partition(":")[0]
        there, _, name = head.rpartition("_")
        found.append(Owner("Application", there or None, name, f"{key} has the annotation {_TRACKING}"))
    elif labels.get(_ARGO_INSTANCE):
        found.append(Owner("Application", None, str(labels[_ARGO_INSTANCE]), f"{key} has the label {_ARGO_INSTANCE}"))
    elif annotations.get(_ARGO_INSTANCE):
        name = str(annotations[_ARGO_INSTANCE])
        found.append(Owner("Application", None, name, f"{key} has the annotation {_ARGO_INSTANCE}"))
    return found


def owning_application(applications: Iterable[Object], things: Iterable[Key], names: Iterable[str]) -> Owner | None:
    """The Argo CD Application that lists one of these objects among its resources. Before Argo CD 3 its only mark was
    the label app.kubernetes.io/instance, which charts set themselves: that alone proves nothing. `names`: the values
    of that label."""
    wanted, candidates = set(things), set(names)
    for application in applications:
        name = str(at(application, "metadata.name"))
        if name not in candidates:
            continue
        for resource in at(application, "status.resources") or ():
            listed = Key(*(str(resource.get(part) or "") for part in ("group", "kind", "namespace", "name")))
            if listed in wanted:
                return Owner("Application", at(application, "metadata.namespace"), name, f"it lists {listed}")
    return None


def instance_names(things: Iterable[Object]) -> set[str]:
    """The values of app.kubernetes.io/instance."""
    labels = [at(thing, "metadata.labels") or {} for thing in things]
    return {str(found[_INSTANCE]) for found in labels if found.get(_INSTANCE)}


def is_idle(owner: Owner, found: Object) -> str | None:
    """Why this owner would not undo a rollback by itself, given the owner's own object; None: it would."""
    if owner.kind != "Application":
        return "it is suspended" if at(found, "spec.suspend") is True else None
    automated = at(found, "spec.syncPolicy.automated")
    if automated is None or automated.get("enabled") is False:
        return "its sync is not automated"
    return None


def managed_by(owner: Owner, found: Object) -> str | None:
    """What would at once undo a suspension of this Application, in words. Of Flux nothing does: `suspend` is not in
    git, and so not kustomize-controller's field."""
    if owner.kind != "Application":
        return None
    annotations = at(found, "metadata.annotations") or {}
    sets = [o.get("name") for o in at(found, "metadata.ownerReferences") or () if o.get("kind") == "ApplicationSet"]
    if sets:
        return f"ApplicationSet {sets[0]}"
    parent = str(annotations.get(_TRACKING) or "").partition(":")[0]
    return f"Application {parent}" if parent else None


def suspension(owner: Owner) -> Mapping[str, Any]:
    """The merge patch that makes the owner leave the release alone."""
    if owner.kind == "Application":
        return {"spec": {"syncPolicy": {"automated": None}}}
    return {"spec": {"suspend": True}}


def how_to_suspend(owner: Owner) -> str:
    """What a person types."""
    if owner.kind == "Application":
        return f"`argocd app set {owner.name} --sync-policy none`"
    word = owner.kind.lower()
    return f"`flux suspend {word} {owner.name} --namespace {owner.namespace}`"


def how_to_resume(owner: Owner, found: Object | None) -> str:
    """What puts the owner back, once git has the older version."""
    if owner.kind != "Application":
        return f"`flux resume {owner.kind.lower()} {owner.name} --namespace {owner.namespace}`"
    automated = at(found, "spec.syncPolicy.automated") or {}
    flags = [
        flag
        for name, flag in (("prune", "--auto-prune"), ("selfHeal", "--self-heal"), ("allowEmpty", "--allow-empty"))
        if automated.get(name) is True
    ]
    return f"`{' '.join(['argocd app set', owner.name, '--sync-policy automated', *flags])}`"
