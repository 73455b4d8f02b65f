"""Running other programs: bounded in time and in output, and nothing left behind."""

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.waiting import wait_until
from watchdog.errors import Unavailable
from watchdog.subprocesses import Completed, minimal_environment, run

SECONDS = timedelta(seconds=200)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def alive(pid: int) -> bool:
    # A zombie nobody reaped yet (in a container without init) is not alive either.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def out_of_time(code: str) -> Completed:
    """What became of a program that says "up" and never ends, of which the time was up after that.

    How long it takes to start is the machine's matter: it is given more and more.
    """
    for seconds in (0.5, 2, 8, 32):
        done = run(python(code), timeout=timedelta(seconds=seconds))
        assert done.timed_out
        if "up" in done.out:
            return done
    raise AssertionError(f"it never started: {done}")


def test_says_what_it_printed_and_how_it_ended():
    done = run(python("import sys; print('héllo'); print('oh no', file=sys.stderr); sys.exit(3)"), timeout=SECONDS)
    assert (done.code, done.out, done.err, done.ok) == (3, "héllo\n", "oh no\n", False)
    assert done.outcome == "exited with code 3"
    assert done.last_words == "oh no"


def test_a_signal_has_its_name():
    done = run(python("import os; os.kill(os.getpid(), 11)"), timeout=SECONDS)
    assert done.outcome == "was killed by SIGSEGV"


@pytest.mark.parametrize("keep", ["start", "end"])
def test_much_output_is_read_and_dropped_not_kept(keep):
    code = "import sys; sys.stdout.write('first' + 'x' * 5_000_000 + 'last!'); sys.stderr.write('e' * 3_000_000)"
    done = run(python(code), timeout=SECONDS, limit=1000, keep=keep)
    assert done.ok
    assert done.truncated
    assert (len(done.out), len(done.err)) == (1000, 1000)
    assert done.out.startswith("first") if keep == "start" else done.out.endswith("last!")


def test_exactly_the_limit_is_not_truncated():
    done = run(python("print('x' * 1000, end='')"), timeout=SECONDS, limit=1000)
    assert (len(done.out), done.truncated) == (1000, False)


def test_input_of_any_size_does_not_deadlock():
    text = "é" * 500_000
    done = run(
        python("import sys; d = sys.stdin.buffer.read(); print(len(d)); print('y' * 300_000)"),
        timeout=SECONDS,
        stdin=text,
    )
    assert done.out.splitlines()[0] == "1000000"


def test_a_program_that_does_not_want_its_input_is_no_error():
    assert run(python("pass"), timeout=SECONDS, stdin="x" * 1_000_000).ok


def test_without_input_it_reads_nothing_rather_than_wait():
    assert run(python("import sys; print(repr(sys.stdin.read()))"), timeout=SECONDS).out == "''\n"


@pytest.mark.slow
def test_when_time_is_up_its_children_end_too():
    code = (
        "import subprocess, sys, time\n"
        "c = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(15, signal.SIG_IGN);"
        ' print("up", flush=True); time.sleep(60)\'])\n'
        "print(c.pid, flush=True); time.sleep(60)"
    )
    done = out_of_time(code)
    assert not done.ok
    assert "did not finish in time" in done.outcome
    child = int(next(line for line in done.out.splitlines() if line.isdigit()))
    wait_until(lambda: not alive(child), "its child to end")


@pytest.mark.slow
def test_a_program_that_ignores_sigterm_is_killed():
    done = out_of_time(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    assert done.code == -9


def test_a_program_that_closes_its_output_and_goes_on_is_still_limited():
    done = run(python("import os, time; os.close(1); os.close(2); time.sleep(60)"), timeout=timedelta(seconds=0.5))
    assert done.timed_out


def test_a_service_left_behind_does_not_hold_us_up_and_lives_on():
    code = (
        "import subprocess, sys\n"
        "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(c.pid)"
    )
    done = run(python(code), timeout=SECONDS)
    assert done.ok
    pid = int(done.out)
    try:
        assert alive(pid)
    finally:
        os.kill(pid, 9)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("/no/such/program",), "no such program"),
        (("/etc/passwd",), "permission denied"),
        ((sys.executable, "\0"), "embedded null byte"),
        ((), "argument list is empty"),
    ],
)
def test_what_cannot_be_started_is_unavailable(argv, words):
    with pytest.raises(Unavailable, match=words):
        run(argv, timeout=SECONDS)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(Unavailable, match=r"the directory .*gone' does not exist"):
        run(python("pass"), timeout=SECONDS, cwd=tmp_path / "gone")


def test_the_minimal_environment_has_no_secrets():
    ours = {"PATH": "/bin", "LC_ALL": "C.UTF-8", "WATCHDOG_TOKEN": "s3cret", "HOOK_SECRET": "s3cret", "HOME": "/root"}
    assert minimal_environment(ours) == {"PATH": "/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}


def test_no_file_descriptor_is_left_open():
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        run(python("print(1)"), timeout=SECONDS, stdin="x")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
