"""The one command: `helm rollback`, with the flags of Helm 3 or 4, and what is read off the program itself."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from watchdog.kubernetes.client import in_cluster
from watchdog.kubernetes.program import own_environment, version_of
from watchdog.model.target import HelmSpec
from watchdog.subprocesses import Completed, minimal_environment

DESCRIPTION_LIMIT = 256
"""Characters; Helm 4 refuses more."""

_PASSED_ON = (
    "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
    "https_proxy", "http_proxy", "no_proxy",
)  # fmt: skip


def environment(
    spec: HelmSpec,
    environ: Mapping[str, str] | None = None,
    *,
    in_pod: bool | None = None,
    secrets: Collection[str] = (),
) -> dict[str, str]:
    """What Helm needs: where the cluster is and how it stores releases; none of our secrets.

    With a kubeconfig it is our own environment, for the credential program that may be named there. `in_pod`: whether
    there are a pod's own rights to use, as everywhere in the watchdog, whatever KUBECONFIG says; None: find out.
    `secrets`: the variables that the config takes secrets from.
    """
    source = os.environ if environ is None else environ
    own = in_cluster() if in_pod is None else in_pod
    if own and spec.kubeconfig is None and spec.context is None:
        found = minimal_environment(source)
        found |= {name: source[name] for name in _PASSED_ON if name in source}
        found["KUBECONFIG"] = os.devnull  # empty: Helm then takes the pod's ServiceAccount
    else:
        # HELM_KUBECONTEXT and the like would send Helm to another cluster than the one that the watchdog reads.
        found = {n: value for n, value in own_environment(source, secrets).items() if not n.startswith("HELM_")}
    found["HELM_DRIVER"] = spec.storage
    return found


def major_version(spec: HelmSpec, env: Mapping[str, str]) -> int:
    """3 or 4. Raises Refused for another, Unavailable when the program can't be run."""
    return int(version_of(spec.helm, env)[1])


def arguments(spec: HelmSpec, major: int, revision: str, timeout: timedelta, description: str) -> tuple[str, ...]:
    """`helm rollback RELEASE REVISION …`. The first six words are the same however the settings change."""
    places: list[str] = []
    if spec.kubeconfig:
        places += ["--kubeconfig", spec.kubeconfig]
    if spec.context:
        places += ["--kube-context", spec.context]
    return (
        *(spec.helm, "rollback", spec.release, revision, "--namespace", spec.namespace),
        *places,
        *(_waiting(major), "--timeout", f"{own_timeout(timeout)}s"),
        # Helm's default of 10 would delete revisions that the team's own limit keeps.
        *("--history-max", "0"),
        *(("--description", description[:DESCRIPTION_LIMIT]) if major >= 4 else ()),
    )


def _waiting(major: int) -> str:
    """Wait as Helm 3 does, with either.

    Helm 4's own way gives up at once on a Deployment that the bad version left with a missed progress deadline, though
    the old pods are about to be ready, and waits for custom resources that never say that they are.
    """
    return "--wait=legacy" if major >= 4 else "--wait"


def own_timeout(timeout: timedelta) -> int:
    """Seconds that Helm itself is given: less than what we allow it, so that it ends by itself and records that the
    rollback failed, rather than being killed and leaving the release pending."""
    seconds = timeout.total_seconds()
    return max(1, int(seconds - min(15.0, seconds / 5)))


def still_running(argv: Sequence[str], processes: Path = Path("/proc")) -> int | None:
    """The pid of a `helm rollback` of this release to this revision on this machine, left by a watchdog that was
    killed; None: there is none, or processes can't be seen."""
    wanted = [word.encode() for word in argv[1:6]]
    try:
        folders = [folder for folder in processes.iterdir() if folder.name.isdigit()]
    except OSError:
        return None
    for folder in folders:
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended meanwhile, or is not ours to see
        if words[1:6] == wanted and int(folder.name) != os.getpid():
            return int(folder.name)
    return None


def last_words(done: Completed) -> str:
    """Helm's own error; it repeats itself as a warning before, and may say more after."""
    lines = [line.strip() for line in (done.err + "\n" + done.out).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error:")]
    return (errors or [done.last_words])[-1][:1000] or "it said nothing"
