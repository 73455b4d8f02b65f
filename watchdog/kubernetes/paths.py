"""Where objects are in the API. Pure."""

from __future__ import annotations

from urllib.parse import quote

CORE, APPS, BATCH, AUTHORIZATION = "api/v1", "apis/apps/v1", "apis/batch/v1", "apis/authorization.k8s.io/v1"


def path(api: str, resource: str, namespace: str | None = None, name: str | None = None, *more: str) -> str:
    """`path(APPS, "deployments", "shop", "api")`. Without a namespace: in all of them, or of the cluster."""
    parts = [*(["namespaces", namespace] if namespace else []), resource, *([name] if name else []), *more]
    return "/" + "/".join([api, *(quote(part, safe="") for part in parts)])


def api_of(api_version: str) -> str:
    """An `apiVersion`'s place: `apps/v1` is at apis/apps/v1, `v1` at api/v1."""
    return f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"
