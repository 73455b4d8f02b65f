"""Programs that reach the cluster: which version Helm is, and what a credential program sees of our environment."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping
from datetime import timedelta

from watchdog.errors import Refused, Unavailable
from watchdog.subprocesses import minimal_environment, run

TIMEOUT = timedelta(seconds=20)
"""For `helm version`, which asks no cluster; a cold disk makes the 60 MB program slow."""


def own_environment(environ: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    """Our environment without the variables that our own secrets are in: what a kubeconfig's credential program (aws,
    gke-gcloud-auth-plugin, kubelogin) is started with. Nobody can list what such programs are told by variables."""
    kept_back = {*secrets, "PGPASSWORD"}
    return {name: value for name, value in environ.items() if name not in kept_back}


def version_of(program: str, env: Mapping[str, str] | None = None) -> str:
    """`v3.22.0`. Raises Refused for another Helm than 3 and 4, Unavailable when the program can't be run."""
    environment = env or minimal_environment()
    if shutil.which(program, path=environment.get("PATH")) is None:  # waiting does not mend it
        raise Refused(
            f"cannot run {program!r}: no such program; install Helm 3 or 4, or set the target's `helm.helm` to its path"
        )
    done = run([program, "version", "--short"], timeout=TIMEOUT, env=environment, cwd="/", limit=4096)
    if not done.ok:
        raise Unavailable(
            f"`{program} version` {done.outcome}: {done.last_words or 'it said nothing'}; install Helm 3 or 4, or name "
            "it in the target's `helm.helm`"
        )
    match = re.search(r"\bv(\d+)\.\d+[\w.-]*", done.out)
    if match is None or match[1] not in {"3", "4"}:
        raise Refused(f"`{program} version` says {done.out.strip()[:80]!r}: Helm 3 and 4 are known")
    return match[0]
