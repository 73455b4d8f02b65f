"""Was the service healed? Given what was seen since the rollback, the proof and its words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from watchdog.judge.verify import Proof, begin_again, verify
from watchdog.model.measurement import Verdict
from watchdog.model.rollback import Verification
from watchdog.model.rule import HttpMeasure, PrometheusMeasure, Rule, Trigger
from watchdog.model.target import RollbackPolicy
from watchdog.model.watch import Progress

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = RollbackPolicy(verify_for=timedelta(seconds=30), verify_timeout=timedelta(minutes=2))
STEP = 5

TRIPPED = Rule(
    name="latency-p99",
    trigger=Trigger.performance,
    summary="",
    measure=PrometheusMeasure(query="q"),
    fail_when="value > 1",
    failure_limit=0,
)
PROBE = Rule(
    name="probe-api",
    trigger=Trigger.health,
    summary="",
    measure=HttpMeasure(url="http://127.0.0.1/"),
    fail_when="value < 1",
    consecutive_failures=3,
    probe=True,
)
VERDICTS = {"p": Verdict.passed, "f": Verdict.failed, "i": Verdict.inconclusive, "e": Verdict.error}
REASONS = {"p": "0.2", "f": "1.8: value > 1", "i": "no data", "e": "503"}


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def run(verdicts: str, rules: list[Rule] | None = None, probe: str | None = None, different: str = "") -> list[Proof]:
    """One proof every 5 s; a letter per step for the tripped rule (`.`: not measured then), for the probe, and `d`
    where what runs differs from the plan."""
    rules = rules if rules is not None else ([TRIPPED, PROBE] if probe else [TRIPPED])
    verification, proofs = Verification(began_at=T0), []
    progress: dict[str, Progress] = {}
    for n, letter in enumerate(verdicts):
        for name, given_ in ((TRIPPED.name, letter), (PROBE.name, probe[n] if probe else ".")):
            if given_ != ".":
                progress[name] = Progress(
                    measured=1, last=VERDICTS[given_], last_at=at(n * STEP), last_reason=REASONS[given_]
                )
        differences = ["api runs sha256:bad, not sha256:good"] if different[n : n + 1] == "d" else []
        proofs.append(verify(verification, differences, rules, progress, POLICY, at(n * STEP)))
        verification = proofs[-1].verification
        if proofs[-1].state != "continue":
            break
    return proofs


def test_everything_passes_for_verify_for():
    proofs = run("ppppppp")
    assert [p.state for p in proofs] == ["continue"] * 6 + ["recovered"]
    assert proofs[3].reason == "everything passes, for 15s of 30s"
    assert proofs[-1].reason == "runs as planned and passes for 30s: latency-p99"
    assert proofs[-1].verification.lines == ("latency-p99: pass (0.2)",)


def test_all_that_pass_are_named():
    assert run("ppppppp", probe="ppppppp")[-1].reason == "runs as planned and passes for 30s: latency-p99, probe-api"


def test_a_break_begins_the_run_again():
    assert len(run("pppfppppppp")) == 11
    assert run("pppfppppppp")[-1].state == "recovered"
    assert run("pppippppppp")[5].state == "continue"
    assert run("ppppppp", different="   d")[-1].state == "continue"


def test_what_was_measured_before_the_rollback_proves_nothing():
    before = {TRIPPED.name: Progress(measured=9, last=Verdict.passed, last_at=at(-1), last_reason="0.2")}
    found = verify(Verification(began_at=T0), [], [TRIPPED], before, POLICY, at(40))
    assert found.state == "continue"
    assert found.reason == "latency-p99: not measured since the rollback"


def test_a_measurement_without_its_time_proves_nothing():
    timeless = {TRIPPED.name: Progress(measured=9, last=Verdict.passed, last_reason="0.2")}
    found = verify(Verification(began_at=T0), [], [TRIPPED], timeless, POLICY, at(5))
    assert (found.state, found.reason) == ("continue", "latency-p99: not measured since the rollback")


def test_a_measurement_is_old_when_verify_for_is_over():
    assert run("p......")[-1].reason == "the newest measurements are older than verify_for (30s)"


def test_a_measurement_that_grew_old_proves_nothing():
    proofs = run("p" + "." * 8)
    assert proofs[-1].state == "continue"
    assert proofs[-1].reason == "the newest measurements are older than verify_for (30s)"


def test_a_rule_that_still_fails_at_the_deadline():
    proofs = run("f" * 40)
    assert len(proofs) - 1 == 150 / STEP
    assert proofs[-1].state == "failed"
    assert proofs[-1].reason == "latency-p99: fail (1.8: value > 1)"


def test_all_that_is_wrong_or_lacking_is_named():
    proofs = run("f" * 40, different="d" * 40)
    both = "api runs sha256:bad, not sha256:good; latency-p99: fail (1.8: value > 1)"
    assert {proof.reason for proof in proofs} == {both}
    assert proofs[-1].verification.lines == tuple(both.split("; "))
    silent = run("." * 40, probe="." * 40)
    lacking = "latency-p99: not measured since the rollback; probe-api: not measured since the rollback"
    assert {proof.reason for proof in silent} == {lacking, f"not proven: {lacking}"}
    assert silent[-1].verification.lines == tuple(lacking.split("; "))


def test_a_difference_at_the_deadline():
    found = run("p" * 40, different="d" * 40)[-1]
    assert (found.state, found.reason) == ("failed", "api runs sha256:bad, not sha256:good")


def test_the_run_may_begin_until_verify_timeout_and_then_finishes():
    in_time = "f" * 24 + "p" * 10
    assert run(in_time)[-1].state == "recovered"
    late = run("f" * 26 + "p" * 10)[-1]
    assert (late.state, late.reason) == ("failed", "not proven: everything passes, for 20s of 30s")
    assert late.verification.passing_since == at(26 * STEP)


def test_no_traffic_is_no_harm_when_probes_pass():
    found = run("i" * 40, probe="p" * 40)[-1]
    assert found.state == "recovered"
    assert found.reason == "runs as planned and the probes passed for 30s; latency-p99: inconclusive (no data)"
    assert found.verification.unopposed_since == T0


def test_no_traffic_and_no_probe_proves_nothing():
    found = run("i" * 40)[-1]
    assert (found.state, found.reason) == ("failed", "not proven: latency-p99: inconclusive (no data)")


def test_no_traffic_and_probes_that_passed_only_at_the_end_prove_nothing():
    found = run("i" * 40, probe="p" * 27 + "f" + "p" * 12)[-1]
    assert found.state == "failed"


def test_a_source_that_is_down_proves_nothing():
    found = run("e" * 40, probe="p" * 40)[-1]
    assert (found.state, found.reason) == ("failed", "not proven: latency-p99: error (503)")


def test_a_probe_that_was_never_asked_proves_nothing():
    found = run("p" * 40, probe="." * 40)[-1]
    assert (found.state, found.reason) == ("failed", "not proven: probe-api: not measured since the rollback")


def test_with_nothing_to_ask_what_runs_must_be_as_planned():
    found = run("." * 7, rules=[])[-1]
    assert found.state == "recovered"
    assert found.reason == "runs as planned for 30s; there was no rule or probe to ask"


def test_a_clock_that_goes_back_begins_the_run_again():
    ahead = Verification(began_at=T0, passing_since=at(3600))
    now = {TRIPPED.name: Progress(measured=1, last=Verdict.passed, last_at=at(5), last_reason="0.2")}
    assert verify(ahead, [], [TRIPPED], now, POLICY, at(5)).verification.passing_since == at(5)


def test_after_a_gap_the_proof_begins_again():
    before = Verification(began_at=T0, restored=True, passing_since=T0, unopposed_since=T0, lines=("x",))
    after = begin_again(before, at(600))
    assert after == Verification(began_at=at(600), restored=True, lines=("x",))


STEPS = st.integers(1, 45).flatmap(
    lambda n: st.tuples(*[st.text(alphabet=letters, min_size=n, max_size=n) for letters in ("pfie.", "pfie.", "  d")])
)


@given(STEPS)
def test_law_recovered_is_never_claimed_against_what_was_seen_last(steps: tuple[str, str, str]):
    verdicts, probe, different = steps
    proofs = run(verdicts, probe=probe, different=different)
    last = proofs[-1]
    n = len(proofs) - 1
    if last.state == "recovered":
        window = slice(n - 6, n + 1)  # verify_for is 6 steps
        assert n >= 6
        assert "f" not in verdicts[window] + probe[window]
        assert "e" not in verdicts[window] + probe[window]
        assert "d" not in different[window]
        assert "p" in probe[window]
    assert all(p.reason for p in proofs)


@given(STEPS)
def test_law_the_proof_ends_by_its_deadline(steps: tuple[str, str, str]):
    verdicts, probe, different = steps
    assert len(run(verdicts, probe=probe, different=different)) <= 150 / STEP + 1
