"""A real Kubernetes node of the tests' own: etcd, API server, controller-manager, scheduler, kubelet with containerd
and kube-proxy, in namespaces of their own, and what a test does with it.

Ready in some 5 s. Addresses: nodes and pods can be reached from here (10.88.N.0/24), and nothing gets out. It ends with
`remove`, and also when the test run is killed: live.sh, a process of its own, waits for either and clears up.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from tests.real.cluster.images import write_images
from tests.waiting import wait_until, within

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PROGRAMS = ROOT / ".cache" / "go" / "bin"
"""What scripts/build-cluster builds."""
IMAGES = ROOT / ".cache" / "images"
CHART = HERE / "chart"
KUBERNETES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
MOST = 8
"""Clusters at once on one machine."""
STARTS_WITHIN, ENDS_WITHIN = 30.0, 20.0
"""Seconds, on a quiet machine."""

_numbers = itertools.count(1)


def missing() -> str:
    """What a machine lacks for a cluster, by name; empty: nothing."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin"
    tools = ("containerd", "runc", "ip", "iptables", "unshare", "openssl", "curl")
    lacking = [name for name in tools if shutil.which(name, path=path) is None]
    lacking += [name for name in (*KUBERNETES, "helm3", "helm4") if not (PROGRAMS / name).exists()]
    lacking += [] if Path("/usr/lib/cni/ptp").exists() else ["containernetworking-plugins"]
    lacking += [] if os.geteuid() == 0 else ["root (for namespaces)"]
    return ", ".join(lacking)


class Cluster:
    """One node, from start to the last trace of it gone."""

    def __init__(self, index: int | None = None) -> None:
        """A new one; with an `index`, one that runs already, and is another process' to start and to end."""
        self._lock: IO[str] | None = None
        if index is None:
            self._lock, index = _a_free_index()
        self.index = index
        self.state = Path(f"/tmp/kc-{self.index}")
        self.kubeconfig = self.state / "admin.kubeconfig"
        self.node_ip = f"10.89.{self.index}.2"
        self.host_ip = f"10.89.{self.index}.1"
        """This machine, as pods see it."""
        self.environment = {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}:/usr/sbin:/sbin",
            "HOME": str(self.state),
            "KUBECONFIG": str(self.kubeconfig),
        }
        self._life: subprocess.Popen[str] | None = None
        self._variables = {
            "KC_BIN": str(PROGRAMS),
            "KC_STATE": str(self.state),
            "KC_IMAGES": str(IMAGES),
            "KC_INDEX": str(self.index),
            "KC_AUDIT": str(HERE / "audit.yaml"),
        }
        self.audit_log = self.state / "log" / "audit.json"
        """What ServiceAccounts asked for (audit.yaml)."""

    def start(self, life: int = subprocess.PIPE) -> None:
        """Returns when the node is Ready. It lives until `remove`; with a file to read, until that file ends."""
        write_images(IMAGES)
        assert self._lock is not None, "it runs already"
        self._life = subprocess.Popen(
            ["bash", str(HERE / "live.sh")],
            env={**self.environment, **self._variables},
            stdin=life,
            stdout=subprocess.PIPE,
            stderr=self._lock,  # held there too: the index is free only when all of this cluster is gone
            text=True,
            start_new_session=True,
        )
        assert self._life.stdout is not None
        answered, _, _ = select.select([self._life.stdout], [], [], within(STARTS_WITHIN))
        if not (answered and self._life.stdout.readline()):
            raise AssertionError(f"the cluster did not start:\n{Path(self._lock.name).read_text()}")

    def remove(self) -> None:
        """End it, and leave nothing behind."""
        assert self._lock is not None, "another process' to end"
        try:
            if self._life is not None:
                self._life.communicate(timeout=within(ENDS_WITHIN))  # closes its stdin: the sign to end
                assert self._life.returncode == 0, Path(self._lock.name).read_text()
        finally:
            self._lock.close()

    def leave(self) -> None:
        """Have nothing to do with it any more; it lives as long as what it was started with."""
        life, self._life = self._life, None
        if life is not None:
            assert life.stdout is not None
            life.stdout.close()
            life.poll()
            life.returncode = life.returncode or 0  # nobody of this process waits for it
        if self._lock is not None:
            self._lock.close()

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True, kubeconfig: Path | None = None) -> str:
        """What kubectl printed."""
        done = self.run("kubectl", *args, stdin=stdin, kubeconfig=kubeconfig)
        assert not check or done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr}"
        return done.stdout

    def get(self, *args: str) -> dict[str, Any]:
        """`kubectl get … -o json`."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *args, "-o", "json"))
        return found

    def apply(self, document: str | Mapping[str, Any], namespace: str = "default") -> None:
        """`kubectl apply` of a YAML text or of one object."""
        text = document if isinstance(document, str) else json.dumps(document)
        self.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)

    def helm(
        self, version: int, *args: str, check: bool = True, timeout: float = within(60)
    ) -> subprocess.CompletedProcess[str]:
        """Helm 3 or 4."""
        done = self.run(f"helm{version}", *args, timeout=timeout)
        assert not check or done.returncode == 0, f"helm{version} {' '.join(args)}: {done.stdout}{done.stderr}"
        return done

    def run(
        self, *argv: str, stdin: str | None = None, kubeconfig: Path | None = None, timeout: float = within(60)
    ) -> subprocess.CompletedProcess[str]:
        """A program in the environment of a person with this cluster's kubeconfig."""
        environment = self.environment | ({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {})
        return subprocess.run(
            argv,
            env=environment,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def begin(self, *argv: str) -> subprocess.Popen[str]:
        """A program that the test ends itself, such as a `helm upgrade --wait`."""
        return subprocess.Popen(
            argv,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @contextlib.contextmanager
    def namespace(self) -> Iterator[str]:
        """A new namespace, gone afterwards (its deletion is not waited for)."""
        name = f"t{next(_numbers)}-{os.getpid()}"
        self.kubectl("create", "namespace", name)
        wait_until(
            lambda: self.kubectl("get", "serviceaccount", "default", "-n", name, check=False), "a ServiceAccount"
        )
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false", check=False)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with the rights of a ServiceAccount, from a token of one hour."""
        token = self.kubectl("create", "token", name, "-n", namespace, "--duration", "1h").strip()
        path = self.state / f"{namespace}-{name}.kubeconfig"
        config = json.loads(self.kubectl("config", "view", "--raw", "-o", "json"))
        config["users"][0]["user"] = {"token": token}
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    def pods(self, namespace: str) -> list[dict[str, Any]]:
        """The pods of a namespace, as the API has them."""
        found: list[dict[str, Any]] = self.get("pods", "-n", namespace)["items"]
        return found

    def stop_apiserver(self) -> None:
        """Kill the API server, as a crash would."""
        self._inside('kill -KILL "$(cat "$S/pid-ns/kube-apiserver")"')

    def start_apiserver(self) -> None:
        """Start it again; returns when it is ready."""
        self._inside('P="$S/pid-ns" start_apiserver; P="$S/pid-ns" wait_http kube-apiserver 60 "$API_URL/readyz"')

    def load_image(self, archive: Path) -> None:
        """Import a docker-archive file into the node, once."""
        with (self.state / f"{archive.name}.loaded").open("a+") as loaded:
            fcntl.flock(loaded, fcntl.LOCK_EX)
            if loaded.seek(0, os.SEEK_END):
                return
            init = (self.state / "pid" / "init").read_text().strip()
            socket = f"/proc/{init}/root/run/containerd/containerd.sock"
            done = self.run("ctr", "-a", socket, "-n", "k8s.io", "images", "import", str(archive), timeout=within(60))
            assert done.returncode == 0, done.stderr
            loaded.write("yes")

    def _inside(self, commands: str) -> None:
        init = (self.state / "pid" / "init").read_text().strip()
        script = f'. "{HERE}/lib.sh"; {commands}'
        argv = ["nsenter", "-t", init, "-m", "-n", "-p", "bash", "-euc", script]
        done = subprocess.run(
            argv,
            env={**self.environment, **self._variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within(30),
            check=False,
        )
        assert done.returncode == 0, done.stderr


def kill_group(process: subprocess.Popen[str]) -> None:
    """End what `begin` began, and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=within(5))


def index_lock(index: int) -> IO[str] | None:
    """The lock of that index, which is the log of its cluster's start and end as well; none: another cluster has it."""
    lock = Path(f"/tmp/kc-{index}.lock").open("a")  # noqa: SIM115 -- held until the cluster is removed
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _a_free_index() -> tuple[IO[str], int]:
    for index in range(MOST):
        lock = index_lock(index)
        if lock is not None:
            lock.truncate(0)
            return lock, index
    raise AssertionError(f"{MOST} clusters run on this machine already")
