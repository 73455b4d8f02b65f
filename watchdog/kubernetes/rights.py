"""What we may do, asked of the API server itself, and the RBAC rule that would grant what we may not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchdog.kubernetes.client import Cluster
from watchdog.kubernetes.paths import AUTHORIZATION, path


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs on a resource, as a rule of a Role has them."""

    group: str
    resource: str
    """`pods`, or with a subresource `pods/log`."""
    verbs: tuple[str, ...]

    def rule(self, verbs: Sequence[str]) -> str:
        """The rule that grants these verbs, as a Role's YAML has it."""
        return f'{{apiGroups: ["{self.group}"], resources: [{self.resource}], verbs: [{", ".join(verbs)}]}}'


def missing(cluster: Cluster, namespace: str | None, rights: Iterable[Right]) -> list[str]:
    """What we may not do there, a line for each resource with the rule that would grant it. `namespace`: None for all.

    Asks one SelfSubjectAccessReview for each verb, which everyone may. Raises as `Cluster.post`.
    """
    kind, where = ("Role", f"namespace {namespace}") if namespace else ("ClusterRole", "every namespace")
    lines = []
    for right in rights:
        lacking = [verb for verb in right.verbs if not allowed(cluster, namespace, right, verb)]
        if lacking:
            lines.append(
                f"no right to {', '.join(lacking)} {right.resource} in {where}: "
                f"add to the {kind} the rule {right.rule(lacking)}"
            )
    return lines


def allowed(cluster: Cluster, namespace: str | None, right: Right, verb: str) -> bool:
    """Whether we may do this one thing."""
    resource, _, subresource = right.resource.partition("/")
    asked = {"group": right.group, "resource": resource, "subresource": subresource, "verb": verb}
    if namespace:
        asked["namespace"] = namespace
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    answer = cluster.post(path(AUTHORIZATION, "selfsubjectaccessreviews"), review)
    return bool((answer.get("status") or {}).get("allowed"))
